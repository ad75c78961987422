//! The story: a release travels to production; one is vetoed; one comes as a hotfix and is taken back inside a freeze; one
//! fails in one region and goes no further; the one that mends it arrives, once what was stopped is let go.

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

/// The release that is fine, the one that nobody wants, the one that is needed at once and is not fine, the one that fails in
/// one region, and the one that mends it.
const GOOD: &str = "1.4.2";
const UNWANTED: &str = "1.4.3";
const HOTFIX: &str = "1.4.4";
const BAD: &str = "1.5.0";
const MENDED: &str = "1.5.1";
/// The canary regions, one after the other.
const EU: &str = "canary-eu";
const US: &str = "canary-us";
/// How long a release soaks in canary-us before prod, as `lockkeeper.yaml` has it.
const SOAK: Duration = Duration::from_secs(2);

/// Does what the people of the story do, waits each time until lockkeeper has done its part, and tells each step.
///
/// # Errors
/// [`DemoError`] if a step does not come true in time.
pub async fn tell(demo: &mut Demo, say: impl FnMut(Step)) -> Result<(), DemoError> {
    let mut story = Story { demo, say };
    story.begin().await?;
    story.good_release().await?;
    story.veto().await?;
    let hotfix = story.hotfix().await?;
    let back = story.rollback_inside_freeze(hotfix.number).await?;
    story.bad_release().await?;
    let digest = story.mended_release().await?;
    story.refusal().await?;
    story.resume(back.number).await?;
    story.drift().await?;
    story.proof(digest).await
}

struct Story<'demo, S> {
    demo: &'demo mut Demo,
    say: S,
}

impl<S: FnMut(Step)> Story<'_, S> {
    async fn begin(&mut self) -> Result<(), DemoError> {
        for stage in ["dev", "staging", EU, US, "prod"] {
            if stage == EU {
                self.demo.deployer.begin();
            }
            self.demo.stage(stage, &format!("{FIRST_VERSION} is live"), is_live(FIRST_VERSION)).await?;
        }
        let link = format!("{}/", self.demo.url());
        let text = format!("checkout {FIRST_VERSION} runs in dev, staging, two canary regions and prod");
        self.say("shop", text, link);
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

    /// Stopped before it is anywhere near production.
    async fn veto(&mut self) -> Result<(), DemoError> {
        self.push("tom", UNWANTED, "Keep card numbers for the next time").await?;
        self.travel_alone(UNWANTED).await?;
        let proposed = self.demo.proposed(EU, UNWANTED).await?;
        let comment = self.comment("maria", proposed.number, "/veto it keeps card numbers").await?;
        self.demo.reply(comment, "is vetoed").await?;
        let is_closed = |stage: &StageView| stage.pull_request.is_none();
        self.demo.stage(EU, &format!("the pull request for {UNWANTED} is closed"), is_closed).await?;
        let text = format!("{UNWANTED} comes no further: its pull request is closed");
        self.say(EU, text, self.pull(proposed.number));
        Ok(())
    }

    /// Past both regions and their time, by those who may, with a reason; the approval is needed still.
    async fn hotfix(&mut self) -> Result<Merged, DemoError> {
        self.push("maria", HOTFIX, "Take cards of all banks again").await?;
        self.travel_alone(HOTFIX).await?;
        let issue = self.demo.issue().await?;
        let text = format!("/promote prod to {HOTFIX} lane=hotfix INC-2040 cards are refused");
        let comment = self.comment("sam", issue, &text).await?;
        self.demo.reply(comment, "as a hotfix").await?;
        let proposed = self.demo.proposed("prod", HOTFIX).await?;
        self.review("kim", proposed).await?;
        let merged = self.demo.merged("prod", HOTFIX, Lane::Hotfix).await?;
        let text = format!("kim approves; {HOTFIX} is merged as a hotfix, past both canary regions");
        self.say("prod", text, self.pull(merged.number));
        Ok(merged)
    }

    /// What stops everything else does not stop the way back.
    async fn rollback_inside_freeze(&mut self, thread: Number) -> Result<Merged, DemoError> {
        let issue = self.demo.issue().await?;
        let frozen = self.comment("maria", issue, "/freeze prod until 8h the books are closed").await?;
        self.demo.reply(frozen, "is frozen until").await?;
        let asked = Instant::now();
        let comment = self.comment("sam", thread, "/rollback prod INC-2041 some are charged twice").await?;
        let back = self.demo.merged("prod", GOOD, Lane::Rollback).await?;
        let took = asked.elapsed().as_secs_f64();
        self.demo.reply(comment, "Rolling `prod` back").await?;
        let is_held =
            |stage: &StageView| stage.version.as_deref() == Some(GOOD) && stage.state == StageState::Held;
        self.demo.stage("prod", &format!("{GOOD} again, and held"), is_held).await?;
        let text = format!(
            "{GOOD} again, {took:.1} s after the comment, inside the freeze; prod is held, {HOTFIX} is vetoed"
        );
        self.say("prod", text, self.pull(back.number));
        let thawed = self.comment("maria", issue, "/unfreeze prod").await?;
        self.demo.reply(thawed, "no longer frozen").await?;
        Ok(back)
    }

    /// One region goes back, the other keeps what runs well there, and production never gets it.
    async fn bad_release(&mut self) -> Result<(), DemoError> {
        let digest = self.push("tom", BAD, "Pay with a new provider").await?;
        self.demo.deployer.fail(US, digest, "payments time out");
        self.travel_alone(BAD).await?;
        let proposed = self.demo.proposed(EU, BAD).await?;
        self.approve(EU, BAD, "kim", proposed).await?;
        let merged = self.demo.merged(US, BAD, Lane::Normal).await?;
        self.say(US, format!("{BAD} merged by itself after its soak in {EU}"), self.pull(merged.number));
        let back = self.demo.merged(US, GOOD, Lane::Rollback).await?;
        self.demo.stage(EU, &format!("{BAD} is live"), is_live(BAD)).await?;
        let text = format!("payments time out: {GOOD} again by itself; {EU} keeps {BAD}, prod never gets it");
        self.say(US, text, self.pull(back.number));
        Ok(())
    }

    /// A release that could go to production if it were not held.
    async fn mended_release(&mut self) -> Result<Digest, DemoError> {
        let digest = self.push("maria", MENDED, "Try the old provider where the new one fails").await?;
        let issue = self.demo.issue().await?;
        let comment = self.comment("sam", issue, &format!("/resume canary-us mended in {MENDED}")).await?;
        self.demo.reply(comment, "`canary-us` is resumed").await?;
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
        self.demo.stage(US, &format!("{MENDED} for longer than prod asks for"), has_passed).await?;
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

    /// What somebody changes past git is seen, since the deployer reports what runs.
    async fn drift(&mut self) -> Result<(), DemoError> {
        self.demo.deployer.set_by_hand(US, Some(self.demo.first));
        let is_drifting = |stage: &StageView| !stage.drift.is_empty();
        self.demo.stage(US, &format!("{FIRST_VERSION} runs, which nobody merged"), is_drifting).await?;
        let link = format!("{}/p/{ENVIRONMENT}/{PIPELINE}", self.demo.url());
        let text = format!("somebody sets {FIRST_VERSION} by hand: the board and `lockkeeper drift` say so");
        self.say(US, text, link.clone());
        self.demo.deployer.set_by_hand(US, None);
        self.demo.stage(US, &format!("{MENDED} runs again"), is_live(MENDED)).await?;
        self.say(US, format!("the deployer puts {MENDED} back"), link);
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

    /// Through dev and staging by itself, with one approval into the first region, and by itself into the second.
    async fn travel(&mut self, version: &str, approver: &str) -> Result<(), DemoError> {
        self.travel_alone(version).await?;
        let proposed = self.demo.proposed(EU, version).await?;
        self.approve(EU, version, approver, proposed).await?;
        let merged = self.demo.merged(US, version, Lane::Normal).await?;
        self.say(US, format!("{version} merged by itself after its soak in {EU}"), self.pull(merged.number));
        Ok(())
    }

    /// Through dev and staging.
    async fn travel_alone(&mut self, version: &str) -> Result<(), DemoError> {
        for (stage, how) in [("dev", "merged by itself"), ("staging", "merged by itself after its soak")] {
            let merged = self.demo.merged(stage, version, Lane::Normal).await?;
            self.say(stage, format!("{version} {how}"), self.pull(merged.number));
        }
        Ok(())
    }

    async fn proposal(&mut self, version: &str) -> Result<Proposed, DemoError> {
        let proposed = self.demo.proposed("prod", version).await?;
        let text = format!(
            "{version} has passed in canary-us; proposed for both regions of prod, waits for an approval"
        );
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

fn is_live(version: &str) -> impl Fn(&StageView) -> bool {
    move |stage| stage.version.as_deref() == Some(version) && stage.state == StageState::Live
}
