//! The story: a release travels to production, a bad one follows, is taken back, and stays away.

use std::time::{Duration, Instant};

use super::cast;
use super::running::FIRST_VERSION;
use super::sample::{ENVIRONMENT, IMAGE, PIPELINE};
use super::wait::{Merged, Proposed};
use super::{Demo, DemoError};
use crate::forge::{CommentId, Number, Verdict};
use crate::image::Digest;
use crate::manifest;
use crate::plan::view::{StageState, StageView};
use crate::promotion::Lane;
use crate::repository::read_tree;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Since the demo was started.
    pub elapsed: Duration,
    /// Who did it: a person, or a stage in which lockkeeper did.
    pub who: String,
    /// What, in one line.
    pub text: String,
    /// Where it can be seen.
    pub link: String,
}

/// The release that is fine, the one that is not, and the one that mends it.
const GOOD: &str = "1.4.2";
const BAD: &str = "1.5.0";
const MENDED: &str = "1.5.1";
/// How long a release soaks in canary before prod, as `lockkeeper.yaml` has it.
const SOAK: Duration = Duration::from_secs(2);

/// Does what the people of the story do, waits each time until lockkeeper has done its part, and tells each step.
///
/// # Errors
/// [`DemoError`] if a step does not come true in time.
pub async fn tell(demo: &mut Demo, say: impl FnMut(Step)) -> Result<(), DemoError> {
    let mut story = Story { demo, say };
    story.begin().await?;
    story.good_release().await?;
    let bad = story.bad_release().await?;
    let back = story.rollback(bad.number).await?;
    let digest = story.mended_release().await?;
    story.refusal().await?;
    story.resume(back.number).await?;
    story.proof(digest).await
}

struct Story<'demo, S> {
    demo: &'demo mut Demo,
    say: S,
}

impl<S: FnMut(Step)> Story<'_, S> {
    async fn begin(&mut self) -> Result<(), DemoError> {
        for stage in ["dev", "staging", "canary", "prod"] {
            let is_first = |found: &StageView| {
                found.version.as_deref() == Some(FIRST_VERSION) && found.state == StageState::Live
            };
            self.demo.stage(stage, &format!("{FIRST_VERSION} is live"), is_first).await?;
        }
        let link = format!("{}/", self.demo.url());
        self.say("shop", format!("checkout {FIRST_VERSION} runs in dev, staging, canary and prod"), link);
        Ok(())
    }

    async fn good_release(&mut self) -> Result<(), DemoError> {
        self.push("maria", GOOD, "Round totals once, at the end").await?;
        self.travel(GOOD, "tom").await?;
        let proposed = self.proposal(GOOD).await?;
        self.review("maria", proposed).await?;
        let wanted = "`maria` wrote commits behind this digest";
        let is_said = |stage: &StageView| stage.holds.iter().any(|hold| hold.contains(wanted));
        self.demo.stage("prod", wanted, is_said).await?;
        let text = "approves, which does not count: maria wrote commits behind this digest";
        self.say("maria", text, self.pull(proposed.number));
        self.approve("prod", GOOD, "li", proposed).await?;
        Ok(())
    }

    async fn bad_release(&mut self) -> Result<Merged, DemoError> {
        self.push("tom", BAD, "Pay with a new provider").await?;
        self.travel(BAD, "maria").await?;
        let proposed = self.proposal(BAD).await?;
        self.approve("prod", BAD, "kim", proposed).await
    }

    async fn rollback(&mut self, thread: Number) -> Result<Merged, DemoError> {
        let asked = Instant::now();
        let comment = self.comment("sam", thread, "/rollback prod INC-2041 payments fail").await?;
        let back = self.demo.merged("prod", GOOD, Lane::Rollback).await?;
        let took = asked.elapsed().as_secs_f64();
        self.demo.reply(comment, "Rolling `prod` back").await?;
        let is_held =
            |stage: &StageView| stage.version.as_deref() == Some(GOOD) && stage.state == StageState::Held;
        self.demo.stage("prod", &format!("{GOOD} again, and held"), is_held).await?;
        let text = format!("{GOOD} again, {took:.1} s after the comment; prod is held, {BAD} is vetoed");
        self.say("prod", text, self.pull(back.number));
        Ok(back)
    }

    /// A release that could go to production if it were not held.
    async fn mended_release(&mut self) -> Result<Digest, DemoError> {
        let digest = self.push("maria", MENDED, "Try the old provider where the new one fails").await?;
        self.travel(MENDED, "tom").await?;
        Ok(digest)
    }

    /// Prod stays where it is, although the release has passed and somebody asks for it.
    async fn refusal(&mut self) -> Result<(), DemoError> {
        let has_passed = |stage: &StageView| {
            let age = stage.since.map(|since| jiff::Timestamp::now().duration_since(since));
            stage.version.as_deref() == Some(MENDED)
                && age.and_then(|age| Duration::try_from(age).ok()).is_some_and(|age| age > SOAK)
        };
        self.demo.stage("canary", &format!("{MENDED} for longer than prod asks for"), has_passed).await?;
        let issue = self.demo.issue().await?;
        let comment = self.comment("maria", issue, &format!("/promote prod to {MENDED}")).await?;
        self.demo.reply(comment, "held after a rollback by sam").await?;
        let is_untouched = |stage: &StageView| {
            stage.version.as_deref() == Some(GOOD)
                && stage.state == StageState::Held
                && stage.pull_request.is_none()
        };
        self.demo.stage("prod", &format!("still {GOOD}, held, nothing proposed"), is_untouched).await?;
        let text = format!("the hold holds: still {GOOD}, nothing is proposed, and the request is refused");
        self.say("prod", text, self.page(issue).await?);
        Ok(())
    }

    async fn resume(&mut self, thread: Number) -> Result<(), DemoError> {
        let comment = self.comment("sam", thread, &format!("/resume prod mended in {MENDED}")).await?;
        self.demo.reply(comment, "`prod` is resumed").await?;
        let proposed = self.proposal(MENDED).await?;
        self.approve("prod", MENDED, "li", proposed).await?;
        Ok(())
    }

    /// Reads the last word from git alone.
    async fn proof(&mut self, digest: Digest) -> Result<(), DemoError> {
        let read = read_tree(&self.demo.environment(), "main", "apps/checkout/prod", |_, bytes| bytes).await;
        let files = read.map_err(DemoError::part("the environment repository"))?;
        for (file, bytes) in &files {
            let found = manifest::find(bytes, &[]).map_err(DemoError::part("a file of prod"))?;
            if found.pins.iter().any(|pin| pin.digest != Some(digest)) {
                let wanted = format!("{file} pins {digest}");
                let found = String::from_utf8_lossy(bytes).into_owned();
                return Err(DemoError::Waited { wanted, waited: Duration::ZERO, found });
            }
        }
        let text = format!("{} files of prod on main pin {MENDED} (sha256:{})", files.len(), digest.short());
        let link = format!("{}/p/{ENVIRONMENT}/{PIPELINE}", self.demo.url());
        self.say("git", text, link);
        Ok(())
    }

    // What people do.

    async fn push(&mut self, author: &str, version: &str, message: &str) -> Result<Digest, DemoError> {
        self.demo.source.commit(author, message).await?;
        let digest = self.demo.push(version)?;
        let text = format!("commits “{message}”; CI pushes {version} (sha256:{})", digest.short());
        let link = format!("http://{}/v2/{IMAGE}/manifests/{version}", self.demo.registry.address());
        self.say(author, text, link);
        Ok(digest)
    }

    async fn review(&mut self, name: &str, proposed: Proposed) -> Result<(), DemoError> {
        let person = cast::person(&self.demo.forge, name).await?;
        let reviewed =
            self.demo.forge.review(&person, proposed.number, proposed.head, Verdict::Approved).await;
        reviewed.map(|_| ()).map_err(DemoError::part("the forge"))
    }

    async fn comment(&mut self, name: &str, thread: Number, text: &str) -> Result<CommentId, DemoError> {
        let person = cast::person(&self.demo.forge, name).await?;
        let written = self.demo.forge.write_comment(&person, thread, text).await;
        let id = written.map_err(DemoError::part("the forge"))?;
        self.say(name, format!("comments: {text}"), self.page(thread).await?);
        Ok(id)
    }

    // What lockkeeper does.

    /// Through dev and staging by itself, and with one approval through canary.
    async fn travel(&mut self, version: &str, approver: &str) -> Result<(), DemoError> {
        for (stage, how) in [("dev", "merged by itself"), ("staging", "merged by itself after its soak")] {
            let merged = self.demo.merged(stage, version, Lane::Normal).await?;
            self.say(stage, format!("{version} {how}"), self.pull(merged.number));
        }
        let proposed = self.demo.proposed("canary", version).await?;
        self.approve("canary", version, approver, proposed).await?;
        Ok(())
    }

    async fn proposal(&mut self, version: &str) -> Result<Proposed, DemoError> {
        let proposed = self.demo.proposed("prod", version).await?;
        let text =
            format!("{version} has passed in canary; proposed for both regions, waits for an approval");
        self.say("prod", text, self.pull(proposed.number));
        Ok(proposed)
    }

    async fn approve(
        &mut self,
        stage: &str,
        version: &str,
        name: &str,
        proposed: Proposed,
    ) -> Result<Merged, DemoError> {
        self.review(name, proposed).await?;
        let merged = self.demo.merged(stage, version, Lane::Normal).await?;
        let commit = merged.commit.get(..12).unwrap_or(&merged.commit);
        let text = format!("{name} approves; {version} is merged ({commit})");
        self.say(stage, text, self.pull(merged.number));
        Ok(merged)
    }

    /// The page of a pull request or of the operations issue.
    async fn page(&self, number: Number) -> Result<String, DemoError> {
        if self.demo.issue().await? == number {
            return Ok(format!("{}/issues/{number}", self.demo.forge_url()));
        }
        Ok(self.pull(number))
    }

    fn pull(&self, number: Number) -> String {
        format!("{}/pulls/{number}", self.demo.forge_url())
    }

    fn say(&mut self, who: &str, text: impl Into<String>, link: String) {
        let elapsed = self.demo.begun.elapsed();
        (self.say)(Step { elapsed, who: who.to_owned(), text: text.into(), link });
    }
}
