//! Our own client: what lockkeeper asks of any forge, asked of GitHub.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::github::{GitHubForge, Writes};
use lockkeeper::forge::{
    Authors, Check, CheckStatus, Forge as _, ForgeError, MergeMethod, NewPullRequest, Permission, Priority,
    PullRequestState, Reaction, Reviewers, Verdict,
};
use lockkeeper::settings::{Ceilings, GitHub, GitHubIdentity};

use crate::github::{Fault, Membership, Role, Setting, Verdict as Said};
use crate::place::{BEGIN, Place, commit, repository, setting};

/// A place, and the App's forge there; nothing where the machine cannot make a key.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) forge: GitHubForge,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Option<Self> {
        Self::with(setting(), |place| place.fake.url()).await
    }

    pub(crate) async fn with(setting: Setting, url: impl FnOnce(&Place) -> String) -> Option<Self> {
        crate::parts::part("openssl")?;
        let (private, public) = crate::tokens::key_pair();
        let place = Place::with(Setting { public_key: Some(public), ..setting }).await;
        // A token ends by the real clock.
        place.pass(jiff::Timestamp::now().as_second() - BEGIN);
        let folder = tempfile::tempdir().unwrap();
        let private_key_file = folder.path().join("app.pem");
        std::fs::write(&private_key_file, private).unwrap();
        let identity = GitHubIdentity::App { id: 77, private_key_file };
        let forge = forge(url(&place), identity, Arc::default());
        Some(Self { place, forge, _folder: folder })
    }

    pub(crate) fn head(&self, branch: &str) -> CommitId {
        self.place.fake.head(branch).unwrap().parse().unwrap()
    }

    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.place.fake.calls().get(operation).copied().unwrap_or(0)
    }
}

fn forge(api_url: String, identity: GitHubIdentity, writes: Arc<Writes>) -> GitHubForge {
    let github = GitHub {
        api_url,
        identity,
        webhook_secrets: Vec::new(),
        timeout: Duration::from_secs(20),
        deliveries_interval: Duration::from_mins(5),
        ceilings: Ceilings::default(),
    };
    GitHubForge::new("acme/environments".parse().unwrap(), &github, writes).unwrap()
}

/// The same with the token of a person.
pub(crate) async fn with_token(login: &str) -> World {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, place.fake.token(login)).unwrap();
    let forge = forge(place.fake.url(), GitHubIdentity::Token { file }, Arc::default());
    World { place, forge, _folder: folder }
}

/// GitHub counts what an App writes, not what it writes in one repository.
#[tokio::test]
async fn what_is_written_counts_for_all_repositories_together() {
    let place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, place.fake.token("grace")).unwrap();
    let writes = Arc::new(Writes::new(Ceilings { per_minute: 20, ..Ceilings::default() }));
    let one = || {
        let identity = GitHubIdentity::Token { file: file.clone() };
        forge(place.fake.url(), identity, Arc::clone(&writes))
    };
    let (number, forges) = (place.pull("a", "a.yaml"), [one(), one()]);
    let mut written = 0;
    for (index, forge) in forges.iter().cycle().take(20).enumerate() {
        let word = forge.upsert_comment(number, &format!("word:{index}"), "x", None).await;
        written += usize::from(word.is_ok());
    }
    assert_eq!((written, place.fake.comments(number).len()), (15, 15), "three quarters are for words");
    forges[0].close(number).await.unwrap();
    place.no_violations();
}

pub(crate) fn new(branch: &str) -> NewPullRequest {
    NewPullRequest {
        priority: Priority::Act,
        title: format!("promote(prod): {branch}"),
        body: "**Decision needed**".to_owned(),
        branch: branch.to_owned(),
        base: "main".to_owned(),
        labels: vec!["promotion".to_owned(), "stage:prod".to_owned()],
        reviewers: Reviewers::default(),
    }
}

fn check(status: CheckStatus, summary: &str) -> Check {
    let (name, app) = ("lockkeeper".to_owned(), "lockkeeper".to_owned());
    Check { name, app, status, summary: summary.to_owned(), text: "- gates".to_owned() }
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, ForgeError>) -> &'static str {
    match result.unwrap_err() {
        ForgeError::Unavailable { .. } => "unavailable",
        ForgeError::NotFound { .. } => "not found",
        ForgeError::Moved { .. } => "moved",
        ForgeError::Refused { .. } => "refused",
    }
}

const MERGES: &str = "PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge";
const MESSAGE: &str = "promote(prod): a\n\ntwo commits\n\nLockkeeper-Lane: normal\nLockkeeper-Stage: prod\n";

#[tokio::test]
async fn a_promotion_from_its_branch_to_its_merge() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    fake.require_check(Some("lockkeeper"));
    world.place.push("a", "a.yaml", "a");
    let opened = forge.open(&new("a")).await.unwrap();
    assert_eq!(forge.open(&new("a")).await.unwrap().number, opened.number, "there is one already");
    let head = world.head("a");
    assert_eq!((opened.head, opened.branch.as_str(), opened.state), (head, "a", PullRequestState::Open));
    assert_eq!(opened.author, forge.me().await.unwrap());
    assert!(opened.author.bot && fake.thread(opened.number).labels.len() == 2);
    let review = fake.review("grace", opened.number, Said::Approved);
    let found = forge.pull_request(opened.number).await.unwrap();
    assert_eq!(found.reviews.len(), 1);
    let first = &found.reviews[0];
    assert_eq!((first.id, first.person.id, first.verdict, first.head), (review, 2, Verdict::Approved, head));
    // Not before the check has passed.
    let merge = || forge.merge(opened.number, head, MESSAGE, MergeMethod::Merge, Priority::Act);
    for (status, runs) in [(CheckStatus::Pending, 1), (CheckStatus::Failed, 1), (CheckStatus::Pending, 2)] {
        let check = check(status, "approval 0 of 1");
        forge.set_check(head, &check, Priority::Act).await.unwrap();
        forge.set_check(head, &check, Priority::Act).await.unwrap();
        assert_eq!(fake.check_runs(&head.to_string()).len(), runs, "{status:?}");
        assert!(forge.pull_request(opened.number).await.unwrap().checks.contains(&check), "{status:?}");
        assert_eq!(kind(merge().await), "refused");
    }
    forge.set_check(head, &check(CheckStatus::Passed, "all gates are open"), Priority::Act).await.unwrap();
    let commit = merge().await.unwrap();
    assert_eq!(merge().await.unwrap(), commit, "merged already");
    assert_eq!(world.calls(MERGES), 4);
    let merged = forge.pull_request(opened.number).await.unwrap();
    let me = forge.me().await.unwrap();
    assert!(
        matches!(merged.state, PullRequestState::Merged { commit: of, by, .. } if of == commit && by == me)
    );
    let message = world.place.git.show(&commit.to_string()).message;
    assert_eq!(message.trim_end(), MESSAGE.trim_end());
    world.place.no_violations();
}

#[tokio::test]
async fn what_moved_meanwhile_is_not_merged() {
    let Some(world) = World::new().await else { return };
    let forge = &world.forge;
    world.place.push("a", "a.yaml", "a");
    let number = forge.open(&new("a")).await.unwrap().number;
    let before = world.head("a");
    world.place.push("a", "a.yaml", "b");
    assert_eq!(kind(forge.merge(number, before, MESSAGE, MergeMethod::Squash, Priority::Act).await), "moved");
    assert_eq!(world.calls(MERGES), 0, "it is seen before it is tried");
    // A conflict, and a branch that a person closed.
    world.place.push("main", "a.yaml", "other");
    let head = world.head("a");
    assert_eq!(kind(forge.merge(number, head, MESSAGE, MergeMethod::Merge, Priority::Act).await), "moved");
    world.place.fake.close("grace", number);
    let found = forge.pull_request(number).await.unwrap();
    assert!(matches!(found.state, PullRequestState::Closed { by, .. } if by.id == 2));
    assert_eq!(kind(forge.merge(number, head, MESSAGE, MergeMethod::Merge, Priority::Act).await), "moved");
    forge.close(number).await.unwrap();
    // The answer of a merge is lost: asked again, it is the same merge.
    world.place.push("b", "b.yaml", "b");
    let number = forge.open(&new("b")).await.unwrap().number;
    let head = world.head("b");
    world.place.fake.next("/merge", Fault::LoseAnswer);
    assert_eq!(
        kind(forge.merge(number, head, MESSAGE, MergeMethod::Squash, Priority::Act).await),
        "unavailable"
    );
    let commit = forge.merge(number, head, MESSAGE, MergeMethod::Squash, Priority::Act).await.unwrap();
    assert_eq!(commit, world.head("main"));
    assert_eq!(kind(forge.close(number).await), "moved");
    assert_eq!(kind(forge.pull_request(999).await), "not found");
    world.place.no_violations();
}

#[tokio::test]
async fn words_are_written_once_and_edited_in_place() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    world.place.push("a", "a.yaml", "a");
    let number = forge.open(&new("a")).await.unwrap().number;
    let marker = "lockkeeper:status:v1";
    let first = forge.upsert_comment(number, marker, "waiting", None).await.unwrap();
    let again = forge.upsert_comment(number, marker, "waiting", None).await.unwrap();
    let edited = forge.upsert_comment(number, marker, "merged", None).await.unwrap();
    assert_eq!((again, edited, fake.comments(number).len()), (first, first, 1));
    assert_eq!(forge.comment(first).await.unwrap().body, "<!-- lockkeeper:status:v1 -->\nmerged");
    // A marker in another's comment is not ours.
    fake.comment("grace", number, "<!-- lockkeeper:other -->\nmine");
    let other = forge.upsert_comment(number, "lockkeeper:other", "ours", None).await.unwrap();
    assert_eq!(fake.comments(number).len(), 3);
    fake.delete_comment("ada", other);
    assert_ne!(forge.upsert_comment(number, "lockkeeper:other", "once more", None).await.unwrap(), other);
    // Another process finds what this one wrote.
    let command = fake.comment("grace", number, "/rollback");
    for reaction in [Reaction::Eyes, Reaction::Eyes, Reaction::Rocket] {
        forge.react(command, reaction).await.unwrap();
    }
    let reactions: Vec<String> = fake.reactions(command).into_iter().map(|found| found.content).collect();
    assert_eq!(reactions, ["rocket"]);
    let issue = forge.upsert_issue("web", "web: operations", "the board").await.unwrap();
    assert_eq!(forge.upsert_issue("web", "web: operations", "the board, later").await.unwrap(), issue);
    assert_ne!(forge.upsert_issue("api", "api: operations", "the board").await.unwrap(), issue);
    assert_eq!(fake.issues().len(), 2);
    let all = forge.comments_after(0, 100).await.unwrap();
    let after = forge.comments_after(all[0].id, 2).await.unwrap();
    assert_eq!(after, all[1..3]);
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
    fake.edit_comment("ada", command, "/promote");
    let edited = forge.comment(command).await.unwrap();
    assert!(edited.updated_at >= edited.created_at && edited.author.id == 2);
    world.place.no_violations();
}

#[tokio::test]
async fn people_are_who_they_are_now() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    let teams = BTreeSet::from(["acme/release".to_owned(), "acme/on-call".to_owned(), "bad name".to_owned()]);
    fake.set_team("release", "grace", Some(Membership::Active));
    fake.set_team("on-call", "grace", Some(Membership::Pending));
    let standing = async |id| forge.standing(id, &teams).await.unwrap();
    let grace = standing(2).await;
    assert_eq!(
        (grace.permission, grace.teams),
        (Permission::Write, BTreeSet::from(["acme/release".to_owned()]))
    );
    fake.rename("grace", "hopper");
    fake.set_role("hopper", Role::Maintain);
    assert_eq!(standing(2).await.person.name, "hopper");
    fake.set_role("hopper", Role::Triage);
    assert_eq!(standing(2).await.permission, Permission::Read);
    assert_eq!(standing(1).await.permission, Permission::Admin);
    let stranger = standing(4_711).await;
    assert_eq!((stranger.permission, stranger.teams.len()), (Permission::None, 0));
    let bot = forge.me().await.unwrap().id;
    assert_eq!(standing(bot).await.permission, Permission::None, "an App is nobody here");
    assert_eq!(forge.authenticate(&fake.token("ada")).await.unwrap().unwrap().id, 1);
    assert_eq!(forge.authenticate("ghp_unknown").await.unwrap(), None);
    fake.next("memberships", Fault::Before(502));
    assert_eq!(kind(forge.standing(2, &teams).await), "unavailable", "an error is never `no`");
    world.place.no_violations();
}

#[tokio::test]
async fn one_token_for_many_callers_and_a_new_one_when_it_is_refused() {
    let Some(world) = World::with(setting(), |place| place.fake.enterprise_url()).await else { return };
    let forge = &world.forge;
    world.place.push("a", "a.yaml", "a");
    let issued = || world.calls("POST /app/installations/{installation_id}/access_tokens");
    for found in join_all((0..10).map(|_| forge.open_pull_requests("main"))).await {
        assert!(found.unwrap().is_empty());
    }
    assert_eq!(issued(), 1);
    world.place.fake.revoke_tokens();
    let number = forge.open(&new("a")).await.unwrap().number;
    assert_eq!((issued(), world.place.fake.pull_requests().len()), (2, 1));
    // Beyond the first page, where GitHub Enterprise Server has its own address in the link.
    for n in 0..120 {
        world.place.fake.comment("grace", number, &format!("word {n}"));
    }
    assert_eq!(forge.comments_after(0, 1_000).await.unwrap().len(), 120);
    forge.upsert_comment(number, "lockkeeper:x", "behind two pages", None).await.unwrap();
    assert_eq!(issued(), 2);
    world.place.no_violations();
}

#[tokio::test]
async fn limits_are_kept_and_answers_may_be_old_ones() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    world.place.push("a", "a.yaml", "a");
    let number = forge.open(&new("a")).await.unwrap().number;
    forge.pull_request(number).await.unwrap();
    forge.pull_request(number).await.unwrap();
    fake.take_requests();
    let unchanged = forge.pull_request(number).await.unwrap();
    assert_eq!(unchanged.mergeable, Some(true));
    fake.edit_pull("ada", number, "another title", "body");
    assert_eq!(
        forge.pull_request(number).await.unwrap().title,
        "another title",
        "what changed is not taken from memory"
    );
    // A write is not repeated by itself, whatever becomes of it.
    fake.next("POST /repos/acme/environments/issues", Fault::After(502));
    assert_eq!(kind(forge.upsert_comment(number, "lockkeeper:y", "once", None).await), "unavailable");
    assert_eq!(fake.comments(number).len(), 1);
    forge.upsert_comment(number, "lockkeeper:y", "once", None).await.unwrap();
    assert_eq!(fake.comments(number).len(), 1, "it was there already");
    fake.next("/pulls", Fault::Secondary(2));
    let ForgeError::Unavailable { retry_after: Some(rest), .. } =
        forge.pull_request(number).await.unwrap_err()
    else {
        panic!("not unavailable")
    };
    assert_eq!(rest.as_secs(), 2);
    fake.take_requests();
    assert_eq!(kind(forge.pull_request(number).await), "unavailable");
    assert_eq!(fake.take_requests().len(), 0, "it was asked while it rests");
    tokio::time::sleep(rest).await;
    forge.pull_request(number).await.unwrap();
    world.place.no_violations();
}

#[tokio::test]
async fn authors_are_those_that_github_knows() {
    let folder = tempfile::tempdir().unwrap();
    let (git, path) = repository(&folder, "web.git");
    let from = git.commit("refs/heads/main").unwrap();
    let known = commit(&git, "main", "a", "a", "2+grace@users.noreply.github.com");
    let unknown = commit(&git, "main", "b", "b", "nobody@example.com");
    let sources = [("acme/web".to_owned(), path)].into();
    let Some(world) = World::with(Setting { sources, ..setting() }, |place| place.fake.url()).await else {
        return;
    };
    let source = format!("{}/acme/web", world.place.fake.url());
    let authors = async |source: &str, to: &str| world.forge.authors(source, &from, to).await.unwrap();
    let Authors::Known(people) = authors(&source, &known).await else { panic!("unknown") };
    assert_eq!(people.iter().map(|person| person.id).collect::<Vec<_>>(), [2]);
    for (source, to, word) in [
        (source.as_str(), unknown.as_str(), "nobody@example.com"),
        (source.as_str(), "0123456789012345678901234567890123456789", "cannot be read"),
        ("https://elsewhere.example/acme/web", &known, "not at this GitHub"),
    ] {
        let found = authors(source, to).await;
        assert!(matches!(&found, Authors::Unknown(text) if text.contains(word)), "{found:?}");
    }
    world.place.no_violations();
}
