//! What is expected.

use lockkeeper::plan::view::{PipelineView, StageView};
use lockkeeper::promotion::{Entry, Event};

use super::cast::{manifest, repository};
use super::host::Said;
use super::{Checked, FakeRegistry, Story, text};

impl Story {
    pub(super) async fn expect(&mut self, words: &[&str], block: &str) -> Checked {
        match words {
            [stage, "pins", image, tag] => self.expect_pins(stage, image, tag).await,
            [stage, "open", version] => self.expect_open(stage, version).await,
            [stage, "none", "open"] => match self.open_pull_requests(stage).await?.as_slice() {
                [] => Ok(()),
                open => Err(format!("{} is open", open[0].title)),
            },
            [stage, "hold", rest @ ..] => self.expect_hold(stage, &rest.join(" ")).await,
            [stage, "no", "hold"] => self.expect_no_hold(stage).await,
            [stage, "state", word] => {
                let found = self.stage_view(stage).await?.state.label();
                if found == *word { Ok(()) } else { Err(format!("state is {found}")) }
            }
            ["tag", image, tag, "is", want] => self.expect_tag(image, tag, want),
            ["writes", "of", "tags", want] => {
                let found = self.registry.writes().join(" ");
                if found == want.replace(',', " ") { Ok(()) } else { Err(format!("written: {found}")) }
            }
            [stage, "ready", rest @ ..] => {
                let target = self.stage_view(stage).await?.rollback_target.ok_or("no rollback target")?;
                contains(target.words(), &rest.join(" "))
            }
            ["history", "says", rest @ ..] => {
                let told: Vec<String> =
                    self.events().await?.iter().map(|entry| format!("{:?}", entry.event)).collect();
                contains(&told.join("\n"), &rest.join(" "))
            }
            ["branch", name, "is", "theirs"] => self.expect_taken(name).await,
            ["reply", rest @ ..] => self.expect_reply(&rest.join(" ")).await,
            ["answer", rest @ ..] => {
                let answer = self.events().await?.into_iter().rev().find_map(|entry| match entry.event {
                    Event::Answered { text, .. } => Some(text),
                    _ => None,
                });
                contains(&answer.ok_or("no answer")?, &rest.join(" "))
            }
            ["no", "reply"] => self.expect_no_reply().await,
            ["proposed", "check", status, rest @ ..] => self.expect_proposed(status, &rest.join(" ")).await,
            [stage, "first", "screen", "fits"] => first_screen(&self.open_pull_request(stage).await?.body),
            [stage, "body", rest @ ..] => {
                contains(&self.open_pull_request(stage).await?.body, &rest.join(" "))
            }
            [stage, "check", status, rest @ ..] => self.expect_check(stage, status, &rest.join(" ")).await,
            ["merges", stage, count] => self.expect_merges(stage, count.parse().map_err(text)?).await,
            ["merge", "of", stage, "says", rest @ ..] => {
                self.expect_merge_message(stage, &rest.join(" ")).await
            }
            ["file", path] => self.expect_file(path.trim_end_matches(':'), block).await,
            ["error", rest @ ..] => self.expect_error(&rest.join(" ")).await,
            ["closed", stage, "says", rest @ ..] => {
                self.expect_said(&format!("closed {stage}"), &rest.join(" ")).await
            }
            ["merged", stage, "body", rest @ ..] => {
                let number = self.last_merged(stage).await?;
                contains(&self.running()?.host.pull(number).await?.body, &rest.join(" "))
            }
            ["merged", stage, "says", rest @ ..] => {
                self.expect_said(&format!("merged {stage}"), &rest.join(" ")).await
            }
            ["operations", "says", rest @ ..] => self.expect_said("operations", &rest.join(" ")).await,
            [stage, "says", rest @ ..] => self.expect_said(stage, &rest.join(" ")).await,
            _ => Err("not an expectation of the story language".to_owned()),
        }
    }

    pub(super) async fn expect_proposed(&self, status: &str, want: &str) -> Checked {
        let number = self.proposed.ok_or("nobody has proposed anything")?;
        let found = self.running()?.host.pull(number).await?;
        let check = found.checks.iter().find(|check| check.name == "lockkeeper").ok_or("no check of ours")?;
        contains(&format!("{:?}", check.status).to_lowercase(), status)?;
        contains(&check.summary, want)
    }

    pub(super) async fn expect_pins(&self, stage: &str, image: &str, tag: &str) -> Checked {
        let name = repository(image);
        let (tag, bytes) = tag.split_once('/').unwrap_or((tag, tag));
        let want = manifest(image, &format!("{name}:{tag}@{}", FakeRegistry::digest(&name, bytes)));
        let found = self.read(&format!("env/{stage}/{image}.yaml")).await?;
        if found == want { Ok(()) } else { Err(format!("found\n{found}")) }
    }

    pub(super) async fn expect_file(&self, path: &str, block: &str) -> Checked {
        let found = self.read(path).await?;
        if found == block { Ok(()) } else { Err(format!("found\n{found}")) }
    }

    pub(super) async fn expect_open(&self, stage: &str, version: &str) -> Checked {
        let open = self.open_pull_requests(stage).await?;
        let [found] = open.as_slice() else {
            let hold = self.stage_view(stage).await?.holds.join("; ");
            return Err(format!("{} open; holds: {hold}", open.len()));
        };
        contains(&found.title, &format!("→ {version} "))
    }

    pub(super) async fn stage_view(&self, stage: &str) -> Result<StageView, String> {
        let mut seen = Vec::new();
        for (_, view) in self.running()?.world.store.views().await.map_err(text)? {
            let Ok(view) = serde_json::from_value::<PipelineView>(view) else { continue };
            for found in view.stages {
                if found.name == stage {
                    return Ok(found);
                }
                seen.push(found.name);
            }
        }
        Err(format!("no stage {stage} on the board, only {}", seen.join(", ")))
    }

    pub(super) async fn expect_hold(&self, stage: &str, want: &str) -> Checked {
        contains(&self.stage_view(stage).await?.holds.join("\n"), want)
    }

    pub(super) async fn expect_no_hold(&self, stage: &str) -> Checked {
        let found = self.stage_view(stage).await?.holds;
        if found.is_empty() { Ok(()) } else { Err(format!("held: {}", found.join("; "))) }
    }

    pub(super) async fn expect_error(&self, want: &str) -> Checked {
        let views = self.running()?.world.store.views().await.map_err(text)?;
        let errors: Vec<String> = views
            .into_iter()
            .filter_map(|(_, view)| serde_json::from_value::<PipelineView>(view).ok()?.error)
            .collect();
        contains(&errors.join("\n"), want)
    }

    pub(super) async fn events(&self) -> Result<Vec<Entry>, String> {
        let mut entries = Vec::new();
        for key in self.running()?.world.store.keys("env").await.map_err(text)? {
            let found = self.running()?.world.store.entries(&key, 0, 10_000).await.map_err(text)?;
            entries.extend(found.into_iter().map(|(_, entry)| entry));
        }
        Ok(entries)
    }

    pub(super) async fn comments(&self, thread: u64) -> Result<Vec<Said>, String> {
        let all = self.running()?.host.comments().await?;
        Ok(all.into_iter().filter(|comment| comment.thread == thread).collect())
    }

    pub(super) async fn reply(&self) -> Result<Option<String>, String> {
        let id = self.last_comment.ok_or("no comment yet")?;
        let marker = format!("lockkeeper:reply:{id} ");
        let all = self.running()?.host.comments().await?;
        let replies: Vec<String> =
            all.into_iter().map(|comment| comment.body).filter(|body| body.contains(&marker)).collect();
        match replies.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            _ => Err(format!("{} replies to one comment", replies.len())),
        }
    }

    pub(super) async fn expect_reply(&self, want: &str) -> Checked {
        contains(&self.reply().await?.ok_or("no reply")?, want)
    }

    pub(super) async fn expect_no_reply(&self) -> Checked {
        match self.reply().await? {
            None => Ok(()),
            Some(found) => Err(format!("reply: {found}")),
        }
    }

    pub(super) async fn expect_said(&self, place: &str, want: &str) -> Checked {
        let thread = match place.strip_prefix("closed ") {
            Some(stage) => self.last_closed(stage).await?,
            None => self.thread(place).await?,
        };
        let said: Vec<String> =
            self.comments(thread).await?.into_iter().map(|comment| comment.body).collect();
        contains(&said.join("\n"), want)
    }

    pub(super) async fn expect_check(&self, stage: &str, status: &str, want: &str) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let check =
            pull_request.checks.iter().find(|check| check.name == "lockkeeper").ok_or("no check of ours")?;
        contains(&format!("{:?}", check.status).to_lowercase(), status)?;
        contains(&check.summary, want)
    }

    pub(super) async fn expect_merges(&self, stage: &str, want: usize) -> Checked {
        let events = self.events().await?;
        let is_it =
            |entry: &&Entry| matches!(&entry.event, Event::Merged { stage: of, .. } if of.as_str() == stage);
        let found = events.iter().filter(is_it).count();
        if found == want { Ok(()) } else { Err(format!("{found} merges")) }
    }

    pub(super) async fn expect_merge_message(&self, stage: &str, want: &str) -> Checked {
        let mirror = &self.running()?.mirror;
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let commits = mirror.first_parents(base, 100).await.map_err(text)?;
        let trailer = format!("Lockkeeper-Stage: {stage}\n");
        let message =
            commits.into_iter().map(|commit| commit.message).find(|message| message.contains(&trailer));
        contains(&message.ok_or("no merge commit for the stage")?, want)
    }
}

/// What a person sees without unfolding: at most 25 lines and 250 words, with the four answers.
pub(super) fn first_screen(body: &str) -> Checked {
    let screen = body.split("<details>").next().unwrap_or_default();
    let lines = screen.lines().filter(|line| !line.trim().is_empty()).count();
    let words = screen.split_whitespace().count();
    for answer in ["What changes:", "Why it is safe:", "If it goes wrong:", "Gates"] {
        contains(screen, answer)?;
    }
    if lines <= 25 && words <= 250 { Ok(()) } else { Err(format!("{lines} lines, {words} words:\n{screen}")) }
}

pub(super) fn contains(found: &str, want: &str) -> Checked {
    if found.contains(want) { Ok(()) } else { Err(format!("wanted `{want}`, found: {found}")) }
}
