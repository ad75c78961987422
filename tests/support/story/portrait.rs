//! A world in a form in which two runs can be compared.

use lockkeeper::forge::{Forge, PullRequestState};
use lockkeeper::promotion::Event;

use super::Story;
use super::text;

impl Story {
    /// The world in a form in which two runs can be compared: files, pull requests, what was recorded and said. Times
    /// and ids are left out.
    pub async fn portrait(&self) -> Result<String, String> {
        let mut lines = Vec::new();
        for path in self.files.keys() {
            lines.push(format!("{path}\n{}", self.read(path).await?));
        }
        let forge = &self.running()?.forge;
        for number in 1.. {
            let Ok(found) = forge.pull_request(number).await else {
                if number > 40 {
                    break;
                }
                continue;
            };
            let state = match found.state {
                PullRequestState::Open => "open",
                PullRequestState::Merged { .. } => "merged",
                PullRequestState::Closed { .. } => "closed",
            };
            lines.push(format!("{} {state} {}", found.title, found.branch));
        }
        lines.sort();
        for entry in self.events().await? {
            if matches!(
                entry.event,
                Event::Merged { .. } | Event::Held { .. } | Event::Vetoed { .. } | Event::Answered { .. }
            ) {
                lines.push(entry.event.name().to_owned());
            }
        }
        let said = forge.comments_after(0, 10_000).await.map_err(text)?;
        let mut markers: Vec<String> = said
            .iter()
            .filter_map(|comment| comment.body.lines().next())
            .map(|line| line.split(':').take(2).collect())
            .collect();
        markers.sort();
        lines.extend(markers);
        Ok(lines.join("\n"))
    }
}
