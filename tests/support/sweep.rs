//! Tells a story, and tells its lines again with one disturbance each: the world has to end the same.
//!
//! A line that is told again begins where the undisturbed telling began it, so a story of many lines costs its lines
//! and not its square; and the worlds are compared after each line, not at the end alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockkeeper::image::Digest;

use super::faults::Fault;
use super::secrets::leak;
use super::story::portrait::{difference, free, loose};
use super::story::saved::Saved;
use super::story::script::{Line, lines};
use super::story::{At, Checked, Story};

/// Which moments are disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// None.
    Undisturbed,
    /// One of each kind in each story, chosen by this number.
    Sample(u64),
    /// Every stop.
    Stops,
    /// Every one.
    All,
}

/// What telling a story gave.
#[derive(Debug, Default)]
pub struct Told {
    /// The moments disturbed, by kind.
    pub disturbed: BTreeMap<Fault, usize>,
    /// Moments left out, as another world is right after them.
    pub left_out: usize,
    /// What went wrong.
    pub failures: Vec<String>,
}

/// A moment in a line, and what the world is after the line without it.
#[derive(Clone)]
struct Moment {
    fault: Fault,
    place: usize,
    line: Line,
    before: Arc<Saved>,
    want: Arc<Vec<String>>,
}

/// Stories that are told as they are. In this one so many calls fail, and the look that follows a stop meets a failure
/// that was meant for a later one.
const UNDISTURBED: [&str; 1] = ["forge-fails"];

/// Tells the story `name` at this forge.
pub async fn tell(at: At, name: &str, text: &str, extent: Extent) -> Told {
    let mut told = Told::default();
    let mut story = Story::new(at);
    let mut sample: BTreeMap<Fault, (usize, Moment)> = BTreeMap::new();
    for line in lines(text) {
        let is_disturbed = !line.is_expectation() && extent != Extent::Undisturbed;
        let before = is_disturbed.then(|| story.save());
        story.faults.begin(None);
        if let Err(error) = story.tell(&line).await {
            told.failures.push(format!("{name}: {error}"));
            return told;
        }
        let chances = story.faults.chances();
        let Some(before) = before.filter(|_| !chances.is_empty() && !UNDISTURBED.contains(&name)) else {
            continue;
        };
        let want = Arc::new(story.portrait().await.unwrap());
        let count = chances.len();
        let is_disturbed = |(fault, _): &(Fault, usize)| !is_answer_needed(name, &line, *fault);
        let chances: Vec<_> = chances.into_iter().filter(is_disturbed).collect();
        told.left_out += count - chances.len();
        let moments = chances.into_iter().map(|(fault, place)| {
            let (line, before, want) = (line.clone(), before.clone(), want.clone());
            Moment { fault, place, line, before, want }
        });
        match extent {
            Extent::Undisturbed => {}
            Extent::Sample(seed) => moments.for_each(|moment| choose(&mut sample, moment, name, seed)),
            Extent::All | Extent::Stops => {
                let after = story.save();
                let is_wanted = |moment: &Moment| {
                    matches!(extent, Extent::All) || matches!(moment.fault, Fault::StopAfter(_))
                };
                for moment in moments.filter(is_wanted) {
                    told.disturb(&mut story, name, &moment).await;
                }
                story.restore(&after).await.unwrap();
            }
        }
    }
    told.failures.extend(story.audit().await.into_iter().map(|wrong| format!("{name} at its end: {wrong}")));
    if let Some(leak) = leak(&story.shown().await.unwrap()) {
        told.failures.push(format!("{name} shows a secret: {leak}"));
    }
    for (_, moment) in sample.into_values() {
        told.disturb(&mut story, name, &moment).await;
    }
    told
}

/// Keeps one moment of each kind, each with the same chance.
fn choose(sample: &mut BTreeMap<Fault, (usize, Moment)>, moment: Moment, name: &str, seed: u64) {
    let seen = sample.get(&moment.fault).map_or(0, |(seen, _)| *seen) + 1;
    let ticket = format!("{seed} {name} {:?} {seen}", moment.fault);
    let drawn = u64::from_str_radix(&Digest::of(ticket.as_bytes()).hex()[..12], 16).unwrap();
    match sample.get_mut(&moment.fault) {
        Some((count, _)) if !drawn.is_multiple_of(seen as u64) => *count = seen,
        _ => {
            sample.insert(moment.fault, (seen, moment));
        }
    }
}

impl Told {
    async fn disturb(&mut self, story: &mut Story, name: &str, moment: &Moment) {
        *self.disturbed.entry(moment.fault).or_insert(0) += 1;
        if let Err(error) = disturbed(story, name, moment).await {
            let Moment { fault, place, line, .. } = moment;
            self.failures
                .push(format!("{name}, line {}: {}\n{fault:?}, {place}: {error}", line.number, line.text));
        }
    }
}

/// Stories in which stages go side by side, or two pull requests are told something at one time. What is disturbed lets one
/// go on before the other, and nothing but the order of events tells which was first.
const SIDE_BY_SIDE: [&str; 6] = [
    "fan-out-and-in",
    "git-refuses",
    "group",
    "retry-on-an-old-thread",
    "watch-fights-nobody",
    "watch-rolls-back",
];

/// Stories in which the registry loses an image, or is away. What was read before is lost with the process, and bodies say
/// less.
const FORGETFUL: [&str; 2] = ["rollback-registry-away", "rollback-target-gone"];

/// Commands that are answered by what the registry says in that moment: `/status` says that it fails, and a `/promote`
/// that names no version is to be written again. A rollback does not wait: where the call fails whose answer would have
/// been "it is not there", it goes ahead. A hotfix names what nobody picked, so the registry is asked for it in that moment. The world is another one then, as it has to be.
fn is_answer_needed(name: &str, line: &Line, fault: Fault) -> bool {
    let has = |word: &str| line.text.contains(word);
    let is_hotfix = has("lane=hotfix");
    let is_asking = has("/status") || has("/explain") || has("/promote") && !has(" to ") || is_hotfix;
    let is_rollback = FORGETFUL.contains(&name) && has("/rollback");
    fault == Fault::RegistryFails && (is_asking || is_rollback)
}

async fn disturbed(story: &mut Story, name: &str, moment: &Moment) -> Checked {
    story.restore(&moment.before).await?;
    story.faults.begin(Some((moment.fault, moment.place)));
    story.tell(&moment.line).await?;
    if !story.faults.has_fired() {
        return Err("this moment did not come".to_owned());
    }
    story.faults.begin(None);
    let is_stop = matches!(moment.fault, Fault::StopAfter(_));
    if !is_stop {
        story.look_at_all().await?;
    }
    let found = story.portrait().await?;
    let found = if SIDE_BY_SIDE.contains(&name) {
        difference(&free(&moment.want), &free(&found))
    } else if FORGETFUL.contains(&name) {
        let said = |portrait: &[String]| {
            let lines = loose(portrait).into_iter().filter(|line| !line.contains("\"body\": "));
            lines.collect::<Vec<_>>()
        };
        difference(&said(&moment.want), &said(&found))
    } else if is_stop {
        difference(&moment.want, &found)
    } else {
        difference(&loose(&moment.want), &loose(&found))
    };
    found.map_or(Ok(()), Err)
}
