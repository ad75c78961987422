//! What people and apps do at the forge.

use std::sync::atomic::Ordering;

use lockkeeper::forge::{CheckStatus, Person, Verdict};
use lockkeeper::promotion::Event;
use lockkeeper::store::{Delivery, Hint, Key};

use lockkeeper::witness::{Witness as _, Write};

use super::super::secrets::token_of;
use super::cast::person;
use super::host::Pull;
use super::{Checked, Story, text};

impl Story {
    pub(super) fn forge_is(&self, how: &str) -> Checked {
        let connection = &self.connection;
        match how {
            "away" => connection.is_away.store(true, Ordering::SeqCst),
            "mute" => connection.is_mute.store(true, Ordering::SeqCst),
            "back" => {
                connection.is_away.store(false, Ordering::SeqCst);
                connection.is_mute.store(false, Ordering::SeqCst);
            }
            _ => return Err("away, mute or back".to_owned()),
        }
        Ok(())
    }

    /// The person signs in, as on the pages: by a token that the forge knows by its hash alone.
    pub(super) async fn sign_in(&self, name: &str) -> Result<Person, String> {
        let known = person(name);
        if known.bot {
            return Ok(known);
        }
        let forge = &self.running()?.forge;
        let found = forge.authenticate(&token_of(name)).await.map_err(text)?;
        let refused = forge.authenticate(&token_of("nobody")).await.map_err(text)?;
        match (found, refused) {
            (Some(found), None) => Ok(found),
            other => Err(format!("signed in as {other:?}")),
        }
    }

    /// What a person did is durable; a stop before the server heard of it is a moment of its own.
    pub(super) async fn acted(&mut self) -> Checked {
        let faults = self.faults.clone();
        if faults.alive(faults.wrote(Write::Forge)).await.is_none() {
            Box::pin(self.reboot()).await?;
        }
        self.settle().await
    }

    pub(super) async fn open_pull_request(&self, stage: &str) -> Result<Pull, String> {
        let found = self.open_pull_requests(stage).await?;
        found.into_iter().next().ok_or_else(|| format!("no pull request is open for {stage}"))
    }

    pub(super) async fn open_pull_requests(&self, stage: &str) -> Result<Vec<Pull>, String> {
        let part = format!("/{stage}/");
        let is_it = |pull: &Pull| pull.branch.starts_with("lockkeeper/") && pull.branch.contains(&part);
        let open = self.running()?.host.open_pulls().await?;
        Ok(open.into_iter().filter(is_it).collect())
    }

    pub(super) async fn remember(&mut self, stage: &str) -> Checked {
        let head = self.open_pull_request(stage).await?.head;
        self.remembered.insert(stage.to_owned(), head);
        Ok(())
    }

    pub(super) async fn review(
        &mut self,
        stage: &str,
        name: &str,
        verdict: Verdict,
        rest: &[&str],
    ) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let host = self.running()?.host.clone();
        match rest {
            [] => host.review(&person(name), &pull_request, verdict).await?,
            ["at", "remembered", "head"] => {
                let head = self.remembered.get(stage).copied().ok_or("nothing remembered")?;
                host.review_older(&person(name), pull_request.number, head, verdict).await?;
            }
            _ => return Err("approve STAGE by PERSON [at remembered head]".to_owned()),
        }
        self.acted().await
    }

    pub(super) async fn close(&mut self, stage: &str, name: &str) -> Checked {
        let number = self.open_pull_request(stage).await?.number;
        self.running()?.host.close(&person(name), number).await?;
        self.acted().await
    }

    pub(super) async fn person_merges(&mut self, stage: &str, name: &str) -> Checked {
        let found = self.open_pull_request(stage).await?;
        if self.running()?.host.merge(&person(name), &found).await? {
            return Err("it was not refused".to_owned());
        }
        self.acted().await
    }

    pub(super) async fn check(&mut self, name: &str, status: &str, stage: &str) -> Checked {
        let head = self.open_pull_request(stage).await?.head;
        let status = match status {
            "passes" => CheckStatus::Passed,
            "fails" => CheckStatus::Failed,
            "runs" => CheckStatus::Pending,
            _ => return Err("passes, fails or runs".to_owned()),
        };
        self.running()?.host.report(&person("ci"), head, name, status).await?;
        self.acted().await
    }

    /// `comment PLACE by PERSON: TEXT`; PLACE is a stage, `operations`, or `merged STAGE`. `\n` begins a new line.
    pub(super) async fn comment(&mut self, rest: &str) -> Checked {
        let (place, rest) = rest.split_once(" by ").ok_or("comment PLACE by PERSON: TEXT")?;
        let (name, body) = rest.split_once(": ").ok_or("comment PLACE by PERSON: TEXT")?;
        let thread = self.thread(place).await?;
        let body = body.replace("\\n", "\n");
        let person = self.sign_in(name).await?;
        let id = self.running()?.host.comment(&person, thread, &body).await?;
        self.last_comment = Some(id);
        if place.ends_with("unheard") {
            // Nobody tells of it; the next look at the repository finds it.
            self.running()?.host.end().await;
            return self.look().await;
        }
        if place.ends_with("late") {
            self.clock.fetch_add(16 * 60 * 1_000_000, Ordering::SeqCst);
        }
        self.acted().await
    }

    /// `order by PERSON: TEXT`, on the command line.
    pub(super) async fn order(&mut self, rest: &str) -> Checked {
        let order = rest.strip_prefix("by ").and_then(|rest| rest.split_once(": "));
        let (name, body) = order.ok_or("order by PERSON: TEXT")?;
        let person = self.sign_in(name).await?;
        self.deliveries += 1;
        let delivery = Delivery {
            id: format!("cli:{}", self.deliveries),
            source: "cli".to_owned(),
            received_at: self.now(),
            hints: vec![Hint::Command { text: body.to_owned(), person, thread: None }],
        };
        // Whoever gives it gives it until it is stored.
        loop {
            let store = self.running()?.world.store.clone();
            let put = async {
                let keys: Vec<Key> = store.keys("env").await?;
                let pipelines: Vec<Key> = keys.into_iter().filter(|key| key.pipeline.is_some()).collect();
                store.put(&delivery, &pipelines).await
            };
            match self.faults.clone().alive(put).await {
                Some(answer) => {
                    answer.map_err(text)?;
                    return self.settle().await;
                }
                None => Box::pin(self.reboot()).await?,
            }
        }
    }

    pub(super) async fn thread(&self, place: &str) -> Result<u64, String> {
        let place = place.trim_end_matches(" late").trim_end_matches(" unheard");
        if place == "operations" {
            return self
                .events()
                .await?
                .iter()
                .find_map(|entry| match entry.event {
                    Event::IssueOpened { number } => Some(number),
                    _ => None,
                })
                .ok_or_else(|| "no operations issue".to_owned());
        }
        if let Some(number) = place.strip_prefix("number ") {
            return number.parse().map_err(text);
        }
        match place.strip_prefix("merged ") {
            Some(stage) => self.last_merged(stage).await,
            None => Ok(self.open_pull_request(place).await?.number),
        }
    }

    pub(super) async fn last_merged(&self, stage: &str) -> Result<u64, String> {
        let events = self.events().await?;
        let merged = events.iter().rev().find_map(|entry| match &entry.event {
            Event::Merged { stage: of, number, .. } if of.as_str() == stage => *number,
            _ => None,
        });
        merged.ok_or_else(|| format!("nothing was merged into {stage}"))
    }

    pub(super) async fn edit_comment(&mut self, rest: &str) -> Checked {
        let (name, body) = rest
            .strip_prefix("by ")
            .and_then(|rest| rest.split_once(": "))
            .ok_or("edit last comment by PERSON: TEXT")?;
        let id = self.last_comment.ok_or("no comment yet")?;
        self.clock.fetch_add(1_000_000, Ordering::SeqCst);
        self.running()?.host.edit_comment(&person(name), id, body).await?;
        self.acted().await
    }

    pub(super) async fn deliver_comment_again(&mut self) -> Checked {
        let id = self.last_comment.ok_or("no comment yet")?;
        self.running()?.host.tell_again(id).await?;
        self.acted().await
    }

    pub(super) async fn last_closed(&self, stage: &str) -> Result<u64, String> {
        let events = self.events().await?;
        let closed = events.iter().rev().find_map(|entry| match &entry.event {
            Event::Closed { stage: of, number, .. } if of.as_str() == stage => Some(*number),
            _ => None,
        });
        closed.ok_or_else(|| format!("nothing was closed for {stage}"))
    }
}
