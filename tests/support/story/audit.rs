//! What may be true of no world at the end of a story, whatever was told in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use lockkeeper::promotion::Event;

use super::host::Said;
use super::{Checked, Story, text};

/// Longer than any pause after a call that failed.
const PAUSE_MICROSECONDS: i64 = 10 * 60 * 1_000_000;

impl Story {
    /// Lets what waits for time alone come to its end, and looks for what should not be there.
    pub async fn audit(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        self.clock.fetch_add(PAUSE_MICROSECONDS, Ordering::SeqCst);
        for checked in [
            self.look_at_all().await,
            self.no_stray_comment(&mut wrong).await,
            self.nothing_left_over(&mut wrong).await,
        ] {
            wrong.extend(checked.err());
        }
        wrong
    }

    /// Each comment of ours has its one reason: the reply to a command, or a mark that no other has in its thread.
    async fn no_stray_comment(&self, wrong: &mut Vec<String>) -> Checked {
        let host = &self.running()?.host;
        let all = host.comments().await?;
        let by_id: BTreeMap<u64, &Said> = all.iter().map(|said| (said.id, said)).collect();
        let mut seen = BTreeSet::new();
        for said in &all {
            if said.reactions > 1 {
                wrong.push(format!("comment {} has {} reactions of ours", said.id, said.reactions));
            }
            if !said.is_ours {
                continue;
            }
            let place = format!("comment {} of ours in {}", said.id, said.thread);
            let first = said.body.lines().next().unwrap_or_default();
            let marker = first.strip_prefix("<!-- lockkeeper:").and_then(|rest| rest.strip_suffix(" -->"));
            let Some(marker) = marker else {
                wrong.push(format!("{place} has no marker: {first}"));
                continue;
            };
            if !seen.insert((said.thread, marker.to_owned())) {
                wrong.push(format!("{place} is there twice: {marker}"));
            }
            if !host.is_ours(said.thread).await? {
                wrong.push(format!("{place} is on somebody else's: {marker}"));
            }
            if let Some(command) = marker.strip_prefix("reply:") {
                let command = command.parse().ok().and_then(|id: u64| by_id.get(&id));
                if command.is_none_or(|command| command.thread != said.thread || command.author.bot) {
                    wrong.push(format!("{place} replies to nobody: {marker}"));
                }
            }
        }
        Ok(())
    }

    async fn nothing_left_over(&self, wrong: &mut Vec<String>) -> Checked {
        let running = self.running()?;
        wrong.extend(running.host.violations());
        let open = running.world.store.counts().await.map_err(text)?.deliveries_open;
        if open > 0 {
            wrong.push(format!("{open} deliveries are left open"));
        }
        let events = self.events().await?;
        let known: BTreeMap<u64, &str> = events.iter().filter_map(|entry| proposed(&entry.event)).collect();
        let pulls = running.host.open_pulls().await?;
        for pull in pulls.iter().filter(|pull| pull.is_ours && !known.contains_key(&pull.number)) {
            wrong.push(format!("pull request {} of ours is open, and nobody knows of it", pull.number));
        }
        let mut may_stay = self.taken.clone();
        for number in known.keys() {
            // Who closed it may open it again.
            let pull = running.host.pull(*number).await?;
            may_stay.extend(pull.is_closed_by_other.then_some(pull.branch));
        }
        may_stay.extend(pulls.into_iter().map(|pull| pull.branch));
        let heads: BTreeSet<&str> = known.into_values().collect();
        for (name, tip) in running.mirror.refs("refs/heads/lockkeeper/").await.map_err(text)? {
            let branch = name.strip_prefix("refs/heads/").unwrap_or(&name);
            // What a person pushed there is theirs.
            if heads.contains(tip.to_string().as_str()) && !may_stay.contains(branch) {
                wrong.push(format!("branch {branch} is left over"));
            }
        }
        let titles = running.host.open_issues().await?;
        let distinct: BTreeSet<&String> = titles.iter().collect();
        if distinct.len() != titles.len() {
            wrong.push(format!("issues of ours are there twice: {titles:?}"));
        }
        Ok(())
    }
}

fn proposed(event: &Event) -> Option<(u64, &str)> {
    if let Event::Proposed { number, head, .. } = event { Some((*number, head)) } else { None }
}
