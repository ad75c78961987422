//! Commits that GitHub makes and signs, where the base takes no others.

use lockkeeper::commit::CommitId;
use lockkeeper::forge::{Forge as _, NewCommit};
use lockkeeper::settings::Signing;

use crate::forge::{World, kind};
use crate::github::git::Signature;
use crate::github::{Fault, Signatures};
use crate::place::{Place, setting};
use crate::promotion::{self, RULES};

const MESSAGE: &str =
    "promote(dev): web\n\nLockkeeper-Promotion: normal/dev/web/1-1\nLockkeeper-Change: a was b\n";
const MAKE_BRANCH: &str = "POST /repos/{owner}/{repo}/git/refs";
const COMMIT: &str = "POST /graphql";

fn new(branch: &str, parent: CommitId) -> NewCommit {
    NewCommit {
        branch: branch.to_owned(),
        base: "main".to_owned(),
        parent,
        edits: vec![("dev/web.yaml".to_owned(), b"image: new\n".to_vec())],
        message: MESSAGE.to_owned(),
    }
}

async fn place(url: impl FnOnce(&Place) -> String) -> Option<World> {
    let world = World::with(setting(), url).await?;
    world.place.push("main", "dev/web.yaml", "image: old\n");
    world.place.push("main", "other.yaml", "kept\n");
    Some(world)
}

#[tokio::test]
async fn a_commit_is_made_where_signatures_are_demanded() {
    let Some(mut world) = place(|place| place.fake.enterprise_url()).await else { return };
    let main = world.head("main");
    let protection = "GET /repos/acme/environments/branches/main/protection";
    world.place.fake.next(protection, Fault::Before(502));
    assert_eq!(kind(world.forge.commit(&new("a", main)).await), "unavailable", "nothing is known yet");
    assert_eq!(world.forge.commit(&new("a", main)).await.unwrap(), None, "nobody demands it");
    world.place.fake.require_signatures(Signatures::Protection);
    world.place.fake.next(protection, Fault::Before(403));
    assert_eq!(world.forge.commit(&new("a", main)).await.unwrap(), None, "only administrators may read that");
    world.place.fake.next(protection, Fault::Before(502));
    assert_eq!(world.forge.commit(&new("a", main)).await.unwrap(), None, "what was so last");
    assert_eq!(world.calls(MAKE_BRANCH), 0);
    let made = world.forge.commit(&new("a", main)).await.unwrap().unwrap();
    let found = world.place.git.show("refs/heads/a");
    assert_eq!((found.id, found.parents), (made.to_string(), vec![main.to_string()]));
    assert_eq!(found.message, MESSAGE.trim_end());
    assert_eq!(found.author.email, "9001+lockkeeper[bot]@users.noreply.github.com");
    let changed = world.place.git.changed(&main.to_string(), &made.to_string());
    let changed: Vec<_> = changed.iter().map(|file| (file.name.as_str(), file.status)).collect();
    assert_eq!(changed, [("dev/web.yaml", "modified")]);
    assert!(world.forge.has_signed(made).await.unwrap());
    assert!(!world.forge.has_signed(main).await.unwrap(), "that one was pushed");
    world.place.fake.require_signatures(Signatures::Ruleset);
    assert!(world.forge.commit(&new("b", main)).await.unwrap().is_some());
    world.forge = world.forge.signing(Signing::Never);
    assert_eq!(world.forge.commit(&new("c", main)).await.unwrap(), None);
    world.place.no_violations();
}

#[tokio::test]
async fn a_branch_without_its_commit_is_gone_on_with_and_anothers_is_left_alone() {
    let Some(world) = place(|place| place.fake.url()).await else { return };
    let World { place, forge, .. } = &world;
    let (fake, main) = (&place.fake, world.head("main"));
    fake.require_signatures(Signatures::Ruleset);
    // Stops after the branch, and after the base moved under it.
    for (branch, moves) in [("a", false), ("b", true)] {
        let parent = world.head("main");
        fake.next(COMMIT, Fault::Before(502));
        assert_eq!(kind(forge.commit(&new(branch, parent)).await), "unavailable");
        assert_eq!(world.head(branch), parent);
        if moves {
            place.push("main", "more.yaml", "more\n");
        }
        let parent = world.head("main");
        let made = forge.commit(&new(branch, parent)).await.unwrap().unwrap();
        assert_eq!(world.head(branch), made);
        assert_eq!(place.git.show(branch).parents, [parent.to_string()]);
        assert_eq!(kind(forge.commit(&new(branch, parent)).await), "moved", "it is there already");
        assert_eq!(world.head(branch), made);
    }
    // The answer is lost: the commit is there, and is known to be ours.
    fake.next(COMMIT, Fault::LoseAnswer);
    assert_eq!(kind(forge.commit(&new("c", main)).await), "unavailable");
    assert_eq!(kind(forge.commit(&new("c", main)).await), "moved");
    assert!(forge.has_signed(world.head("c")).await.unwrap());
    let theirs = place.push("d", "dev/web.yaml", "image: theirs\n");
    assert_eq!(kind(forge.commit(&new("d", main)).await), "moved");
    assert_eq!(world.head("d").to_string(), theirs);
    // A name that git does not take.
    assert_eq!(kind(forge.commit(&new("e..f", main)).await), "refused");
    place.no_violations();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_promotion_stopped_after_each_write_is_made_once() {
    let prepare = |world: &promotion::World| {
        world.release("1.1.0");
        world.github.fake.require_signatures(Signatures::Ruleset);
        // Each is done, and the server is stopped before it hears of it.
        for part in ["/git/refs", COMMIT, "POST /repos/acme/environments/pulls"] {
            world.github.fake.next(part, Fault::HangAfter);
        }
    };
    let Some(mut world) = promotion::World::with(RULES, prepare).await else { return };
    let pull = "POST /repos/{owner}/{repo}/pulls";
    for operation in [MAKE_BRANCH, COMMIT, pull] {
        world.until(operation, || world.calls(operation) == 1).await;
        // What was asked for is carried out by then.
        let is_done = || match operation {
            MAKE_BRANCH => world.dev_branches().len() == 1,
            COMMIT => world.dev_branches().iter().any(|(_, head)| is_ours(&world, head)),
            _ => world.github.fake.pull_requests().len() == 1,
        };
        world.until("done", is_done).await;
        world.restart();
    }
    world.until("dev at 1.1.0", || world.pinned("dev", "1.1.0")).await;
    let fake = &world.github.fake;
    let pulls = fake.pull_requests();
    let dev: Vec<_> = pulls.iter().filter(|thread| thread.title.contains("(dev)")).collect();
    assert_eq!(dev.len(), 1, "{}", world.story());
    let of = dev[0].pull.as_ref().unwrap();
    assert!(of.head_branch.ends_with("-1"), "{}", of.head_branch);
    let merged = of.merged.as_ref().unwrap();
    let merge = world.github.git.show(&merged.commit);
    assert_eq!(merge.parents[1], of.head);
    let commit = world.github.git.show(&of.head);
    assert_eq!(commit.parents, merge.parents[..1], "one commit, on the base");
    assert_eq!(commit.author.name, "lockkeeper[bot]");
    assert!(commit.message.contains("\n\nLockkeeper-Promotion: normal/dev/web/"), "{}", commit.message);
    assert!(merge.message.contains("Lockkeeper-Stage: dev"), "{}", merge.message);
    // One for dev and one for prod, which follows.
    world.until("a pull request for prod", || world.open("prod").is_some()).await;
    assert_eq!(world.calls(COMMIT), 2);
    let (number, _) = world.open("prod").unwrap();
    let asked = || fake.thread(number).pull.unwrap().team_reviewers.contains("sre");
    world.until("its approvers asked", asked).await;
    world.github.no_violations();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_only_looks_like_ours_is_left_alone() {
    let prepare = |world: &promotion::World| {
        world.release("1.1.0");
        world.github.fake.require_signatures(Signatures::Ruleset);
        world.github.fake.next(COMMIT, Fault::HangAfter);
    };
    let Some(mut world) = promotion::World::with(RULES, prepare).await else { return };
    let made = || world.dev_branches().into_iter().find(|(_, head)| is_ours(&world, head));
    world.until("our commit", || made().is_some()).await;
    let (branch, head) = made().unwrap();
    drop(world.server.take());
    // Our words, our address, our bytes, and a file more.
    let git = &world.github.git;
    let ours = git.show(&head);
    let tree = git.write_tree(&head, &[("more.yaml".to_owned(), Some(b"more".to_vec()))]).unwrap();
    let (name, email) = ("lockkeeper".to_owned(), "lockkeeper@localhost".to_owned());
    let author = Signature { name, email, at: ours.author.at };
    let forged = git.write_commit(&tree, &[&ours.parents[0]], &ours.message, &author);
    git.update(&format!("refs/heads/{branch}"), &forged, &head).unwrap();
    world.restart();
    world.until("dev at 1.1.0", || world.pinned("dev", "1.1.0")).await;
    let pulls = world.github.fake.pull_requests();
    let dev = pulls.iter().find(|thread| thread.title.contains("(dev)")).unwrap();
    assert!(dev.pull.as_ref().unwrap().head_branch.ends_with("-2"), "{}", world.story());
    assert_eq!(world.github.fake.head(&branch), Some(forged));
    world.github.no_violations();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_commit_than_was_asked_for_is_taken_away_and_said() {
    let prepare = |world: &promotion::World| {
        world.release("1.1.0");
        world.github.fake.require_signatures(Signatures::Ruleset);
        world.github.fake.add_a_line_to_commits();
    };
    let Some(world) = promotion::World::with(RULES, prepare).await else { return };
    world.until("a commit", || world.calls(COMMIT) > 0).await;
    let said = || {
        let shown = world.place.run(&["status", "-o", "json"]);
        shown.out.contains("made another commit than it was asked for: its message differs")
    };
    world.until("the refusal", said).await;
    // It is tried again when something happens, with a branch for as long as that takes.
    world.until("no branch", || world.dev_branches().is_empty()).await;
    assert_eq!(world.github.fake.pull_requests().len(), 0);
    world.github.no_violations();
}

fn is_ours(world: &promotion::World, head: &str) -> bool {
    world.github.git.show(head).author.name == "lockkeeper[bot]"
}

impl promotion::World {
    /// The branches of promotions into dev, and where they are.
    fn dev_branches(&self) -> Vec<(String, String)> {
        let heads = self.github.git.heads().into_iter();
        heads.filter(|(name, _)| name.starts_with("lockkeeper/normal/dev/")).collect()
    }
}
