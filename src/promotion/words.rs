//! What events leave to be said under pull requests.

use super::{Event, State, Word};
use crate::pipeline::StageName;

impl State {
    /// What an event of a stage leaves to be said.
    pub(super) fn speak(&mut self, stage: &StageName, event: &Event) {
        let proposal = self.stages.get(stage).and_then(|stage| stage.proposal.as_ref());
        let closing = proposal.and_then(|proposal| proposal.closing.as_ref());
        let mut say = |number: u64, marker: &str, text: &str| {
            if !text.is_empty() {
                self.words_due.push(Word { number, marker: marker.to_owned(), text: text.to_owned() });
            }
        };
        if let Event::Merged { number: Some(number), .. } = event {
            self.announcements_due.push((stage.clone(), *number));
        } else if let Event::Interrupted { number, text, .. } = event {
            say(*number, "lockkeeper:interrupted", text);
        } else if let (Event::Closed { number, why, .. }, Some(closing)) = (event, closing)
            && closing.why == *why
        {
            say(*number, "lockkeeper:closed", &closing.text);
        } else if let Event::WatchEnded(ended) = event
            && let Some(number) = ended.number
        {
            say(number, "lockkeeper:watch", &ended.text);
        }
    }
}
