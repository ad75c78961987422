//! Every command by every kind of person in every place, on GitHub: who may, where it works, and what is left behind.
//!
//! What is wanted is written out here from the design page, section 6, and asks the product for nothing.

use std::time::Instant;

use crate::engine::{Engine, Saved};
use crate::fake_registry::FakeRegistry;
use crate::github::{Membership, Role, Setting, Verdict};

const IMAGE: &str = "registry.test/shop/web";
const RULES: &str = "version: 1
pipelines:
  - name: web
    owner: team:acme/owners
    start: now
    images:
      - repository: registry.test/shop/web
        follow: { semver: \">=1\" }
    stages:
      - { name: dev, pins: [dev/web.yaml], merge: automatic }
      - name: prod
        pins: [prod/web.yaml]
        gates: { approvals: { min: 1, from: [\"team:acme/sre\"], independent: false } }
        rollback: { by: [\"team:acme/on-call\"] }
        hotfix: { by: [\"team:acme/sre\"] }
";

/// Where a comment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// The promotion to prod that waits for its approval.
    Open,
    Merged,
    Closed,
    Operations,
    /// A person's own pull request.
    Foreign,
    /// An issue that is not ours.
    Issue,
}

const OURS: [At; 4] = [At::Open, At::Merged, At::Closed, At::Operations];
const THEIRS: [At; 2] = [At::Foreign, At::Issue];

/// What a person is. Names of classes are those of the table in section 6.
struct Who {
    login: &'static str,
    id: u64,
    role: Role,
    teams: &'static [(&'static str, Membership)],
    is: &'static [&'static str],
}

const ACTIVE: Membership = Membership::Active;
const INVITED: Membership = Membership::Pending;

const PEOPLE: [Who; 11] = [
    Who { login: "ada", id: 1, role: Role::Admin, teams: &[], is: &["read", "write"] },
    Who { login: "max", id: 2, role: Role::Maintain, teams: &[], is: &["read", "write"] },
    Who { login: "will", id: 3, role: Role::Write, teams: &[], is: &["read", "write"] },
    Who { login: "tri", id: 4, role: Role::Triage, teams: &[], is: &["read"] },
    Who { login: "rea", id: 5, role: Role::Read, teams: &[], is: &["read"] },
    Who { login: "stranger", id: 6, role: Role::None, teams: &[], is: &[] },
    Who { login: "olga", id: 7, role: Role::Read, teams: &[("owners", ACTIVE)], is: &["read", "owner"] },
    Who {
        login: "oscar",
        id: 8,
        role: Role::Write,
        teams: &[("owners", ACTIVE)],
        is: &["read", "write", "owner"],
    },
    // In a team below the one that is named.
    Who {
        login: "ines",
        id: 9,
        role: Role::Read,
        teams: &[("sre/berlin", ACTIVE)],
        is: &["read", "approver"],
    },
    Who { login: "sam", id: 10, role: Role::Read, teams: &[("on-call", ACTIVE)], is: &["read", "on-call"] },
    Who {
        login: "ivan",
        id: 11,
        role: Role::Read,
        teams: &[("owners", INVITED), ("sre", INVITED), ("on-call", INVITED)],
        is: &["read"],
    },
];
/// With every right, and never obeyed: another App's bot, and our own.
const MACHINES: [&str; 2] = ["renovate[bot]", "lockkeeper[bot]"];

/// A command: who may, where it works, and the event that it leaves.
struct Row {
    verb: &'static str,
    who: &'static [&'static str],
    on: &'static [At],
    /// What is written on a promotion's pull request, and elsewhere.
    text: [&'static str; 2],
    /// In a world in which prod is held and frozen, and 1.2.0 vetoed.
    is_stopped: bool,
    leaves: Option<&'static str>,
}

const READ: &[&str] = &["read"];
const OPEN_OR_OPERATIONS: &[At] = &[At::Open, At::Operations];

#[rustfmt::skip]
const TABLE: [Row; 15] = [
    Row { verb: "promote", who: &["owner"], on: OPEN_OR_OPERATIONS, text: ["/promote to 1.2.0", "/promote prod to 1.2.0 now"], is_stopped: false, leaves: Some("requested") },
    Row { verb: "rollback", who: &["on-call"], on: &OURS, text: ["/rollback", "/rollback prod INC-1 errors"], is_stopped: false, leaves: Some("requested") },
    // Without `rollback.by`: owner and write.
    Row { verb: "rollback", who: &["owner", "write"], on: &OURS, text: ["/rollback dev", "/rollback dev"], is_stopped: false, leaves: Some("requested") },
    Row { verb: "hold", who: &["write", "on-call"], on: &OURS, text: ["/hold", "/hold prod until 2h"], is_stopped: false, leaves: Some("held") },
    Row { verb: "resume", who: &["write", "on-call"], on: &OURS, text: ["/resume", "/resume prod"], is_stopped: true, leaves: Some("resumed") },
    Row { verb: "veto", who: &["owner", "approver"], on: &OURS, text: ["/veto 1.3.0 slow", "/veto 1.3.0 slow"], is_stopped: false, leaves: Some("vetoed") },
    Row { verb: "unveto", who: &["owner", "approver"], on: &OURS, text: ["/unveto 1.2.0", "/unveto 1.2.0"], is_stopped: true, leaves: Some("unvetoed") },
    Row { verb: "retry", who: &["write"], on: &[At::Open], text: ["/retry", "/retry"], is_stopped: false, leaves: Some("retry_asked") },
    Row { verb: "status", who: READ, on: &OURS, text: ["/status", "/status prod"], is_stopped: false, leaves: None },
    Row { verb: "explain", who: READ, on: &OURS, text: ["/explain", "/explain prod"], is_stopped: false, leaves: None },
    Row { verb: "history", who: READ, on: &OURS, text: ["/history", "/history"], is_stopped: false, leaves: None },
    Row { verb: "help", who: READ, on: &OURS, text: ["/help", "@lockkeeper help"], is_stopped: false, leaves: None },
    // By whom the stage names, and by no owner.
    Row { verb: "promote", who: &["approver"], on: OPEN_OR_OPERATIONS, text: ["/promote to 1.3.0 lane=hotfix INC-1", "/promote prod to 1.3.0 lane=hotfix INC-1"], is_stopped: false, leaves: Some("requested") },
    Row { verb: "freeze", who: &["owner"], on: &[At::Operations], text: ["/freeze all", "/freeze prod until 2h"], is_stopped: false, leaves: Some("frozen") },
    Row { verb: "unfreeze", who: &["owner"], on: &[At::Operations], text: ["/unfreeze all", "/unfreeze prod"], is_stopped: true, leaves: Some("unfrozen") },
];

/// The reaction that a comment gets in the end, and with it exactly one reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Done,
    Denied,
    Refused,
    Nothing,
}

/// All cells take minutes without optimisation; one part of so many is tried at one time.
const PARTS: usize = 8;

/// Which cells are tried.
#[derive(Debug, Clone, Copy)]
enum Extent {
    /// One cell of eight: every command by half of the people, in one place each; the number chooses which.
    Turn(usize),
    /// Every command by everybody everywhere.
    All,
}

impl Extent {
    /// `LOCKKEEPER_SWEEP`: a number chooses other cells, `all` takes all.
    fn chosen() -> Self {
        match std::env::var("LOCKKEEPER_SWEEP").as_deref() {
            Ok("all") => Self::All,
            Ok(number) => Self::Turn(number.parse().unwrap_or(0)),
            Err(_) => Self::Turn(0),
        }
    }

    fn has(self, sum: usize) -> bool {
        match self {
            Self::Turn(turn) => (sum + turn).is_multiple_of(PARTS),
            Self::All => true,
        }
    }
}

impl Want {
    fn reactions(self) -> &'static [&'static str] {
        match self {
            Self::Done => &["rocket"],
            Self::Denied => &["-1"],
            Self::Refused => &["confused"],
            Self::Nothing => &[],
        }
    }
}

/// Deny by default: where a command does not work, it is refused whoever asks.
fn want(row: &Row, who: &Who, at: At) -> Want {
    if THEIRS.contains(&at) {
        Want::Nothing
    } else if !row.on.contains(&at) {
        Want::Refused
    } else if row.who.iter().any(|class| who.is.contains(class)) {
        Want::Done
    } else {
        Want::Denied
    }
}

/// Pipeline `web` at GitHub: 1.1.0 in prod by a promotion, 1.2.0 refused there by closing it, 1.3.0 proposed.
pub(crate) struct Shop {
    pub(crate) engine: Engine,
    free: Saved,
    stopped: Saved,
    merged: u64,
    closed: u64,
    foreign: u64,
    issue: u64,
}

impl Shop {
    pub(crate) async fn new() -> Option<Self> {
        let people: Vec<(u64, &str, Role)> = PEOPLE.iter().map(|who| (who.id, who.login, who.role)).collect();
        let mut engine = Engine::new(Setting::new(&people)).await?;
        let fake = engine.place.fake.clone();
        fake.add_person(50, "renovate[bot]", "Bot", Role::Admin);
        for (who, (team, membership)) in PEOPLE.iter().flat_map(|who| who.teams.iter().map(move |t| (who, t)))
        {
            fake.set_team(team, who.login, Some(*membership));
        }
        fake.require_check(Some("lockkeeper"));
        for stage in ["dev", "prod"] {
            engine.place.push("main", &format!("{stage}/web.yaml"), &manifest("1.0.0"));
        }
        engine.place.push("main", "lockkeeper.yaml", RULES);
        engine.renew();
        release(&engine, "1.0.0").await;
        engine.renew();
        release(&engine, "1.1.0").await;
        let merged = open(&engine, "1.1.0");
        fake.review("ines", merged, Verdict::Approved);
        engine.settle().await;
        assert!(fake.thread(merged).pull.unwrap().merged.is_some(), "{}", story(&engine));
        engine.renew();
        release(&engine, "1.2.0").await;
        let closed = open(&engine, "1.2.0");
        fake.close("ada", closed);
        engine.settle().await;
        engine.renew();
        release(&engine, "1.3.0").await;
        open(&engine, "1.3.0");
        engine.place.push("notes", "notes.md", "hello");
        let foreign = fake.open_by("will", "notes", "main", "notes");
        let issue = plain_issue(&engine).await;
        engine.settle().await;
        engine.renew();
        engine.look().await;
        let free = engine.save().await;
        fake.comment("ada", operations(&engine), "/hold prod");
        fake.comment("olga", operations(&engine), "/freeze prod");
        fake.comment("olga", closed, "/veto 1.2.0");
        engine.settle().await;
        engine.renew();
        engine.look().await;
        let stopped = engine.save().await;
        engine.place.no_violations();
        Some(Self { engine, free, stopped, merged, closed, foreign, issue })
    }

    pub(crate) fn thread(&self, at: At) -> u64 {
        match at {
            At::Open => open(&self.engine, "1.3.0"),
            At::Merged => self.merged,
            At::Closed => self.closed,
            At::Operations => operations(&self.engine),
            At::Foreign => self.foreign,
            At::Issue => self.issue,
        }
    }

    pub(crate) async fn restore(&mut self, is_stopped: bool) {
        self.engine.restore(if is_stopped { &self.stopped } else { &self.free }).await;
        self.engine.renew();
    }

    /// One comment from its writing to the end of the work on it; what is wrong.
    async fn tell(&self, login: &str, at: At, text: &str, want: Want) -> Result<Vec<String>, String> {
        let (fake, thread) = (&self.engine.place.fake, self.thread(at));
        let (before, calls) = (self.engine.count().await, fake.calls());
        let comment = fake.comment(login, thread, text);
        self.engine.deliver().await;
        self.engine.work().await;
        // What we did ourselves is told as well, and no news: `settle` delivers it, here it would only take time.
        fake.take_webhooks();
        self.answered(thread, comment, want)?;
        let events = self.engine.events(before).await;
        let (wanted, found) = (if want == Want::Nothing { [0, 0] } else { [2, 1] }, {
            let now = fake.calls();
            let count = |id: &str| now.get(id).unwrap_or(&0) - calls.get(id).unwrap_or(&0);
            let path = "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions";
            [count(&format!("POST {path}")), count(&format!("DELETE {path}/{{reaction_id}}"))]
        });
        // The eyes come first, and go when the answer comes.
        if wanted != found {
            return Err(format!("reactions were written and removed {found:?} times, not {wanted:?}"));
        }
        Ok(events)
    }

    /// Whether a comment has the one reaction and the one reply that it should.
    pub(crate) fn answered(&self, thread: u64, comment: u64, want: Want) -> Result<(), String> {
        let fake = &self.engine.place.fake;
        let reactions: Vec<String> = fake.reactions(comment).into_iter().map(|found| found.content).collect();
        let marker = format!("<!-- lockkeeper:reply:{comment} -->");
        let replies: Vec<String> = fake.comments(thread).into_iter().map(|found| found.body).collect();
        let replies: Vec<&String> = replies.iter().filter(|body| body.starts_with(&marker)).collect();
        let count = usize::from(want != Want::Nothing);
        if reactions == want.reactions() && replies.len() == count {
            return Ok(());
        }
        Err(format!("wanted {want:?}, found {reactions:?} and {replies:?}"))
    }

    /// One cell of the table; returns whether the world is another one now.
    async fn cell(&self, row: &Row, who: &Who, at: At) -> Result<bool, String> {
        let text = row.text[usize::from(at == At::Operations)];
        let (want, tip) = (want(row, who, at), self.engine.place.fake.head("main"));
        let told = self.tell(who.login, at, text, want).await;
        let events = told.map_err(|error| format!("{text} by {} at {at:?}: {error}", who.login))?;
        let is_changed = events.iter().any(|event| !["answered", "replied"].contains(&event.as_str()));
        let leaves = row.leaves.filter(|_| want == Want::Done);
        let is_right = match leaves {
            Some(event) => events.iter().any(|found| found == event),
            None => !is_changed && self.engine.place.fake.head("main") == tip,
        };
        if is_right { Ok(is_changed) } else { Err(format!("{text} by {} at {at:?}: {events:?}", who.login)) }
    }

    /// The cells of one row where somebody is answered; how many, and what is wrong.
    async fn row(&mut self, index: usize, extent: Extent, wrong: &mut Vec<String>) -> usize {
        let row = &TABLE[index];
        self.restore(row.is_stopped).await;
        let mut count = 0_usize;
        for (place, at) in OURS.into_iter().enumerate() {
            for (person, who) in PEOPLE.iter().enumerate() {
                if !extent.has(index + place + person) {
                    continue;
                }
                count += 1;
                self.engine.renew();
                let told = self.cell(row, who, at).await;
                let is_changed = told.unwrap_or_else(|error| {
                    wrong.push(error);
                    true
                });
                if is_changed {
                    self.restore(row.is_stopped).await;
                }
            }
            // Threads stay short.
            let saved = if row.is_stopped { &self.stopped } else { &self.free };
            self.engine.restore_github(saved);
        }
        count
    }

    /// What machines write anywhere, and anybody where we have nothing to say: nothing comes of it, not by the sweep
    /// either.
    async fn silence(&mut self, extent: Extent, wrong: &mut Vec<String>) -> usize {
        self.restore(false).await;
        let (fake, before) = (self.engine.place.fake.clone(), self.engine.events(0).await);
        let mut said = Vec::new();
        let anybody = || PEOPLE.iter().map(|who| who.login).chain(MACHINES);
        let theirs = THEIRS.iter().flat_map(|at| anybody().map(move |login| (login, *at)));
        let ours = OURS.iter().flat_map(|at| MACHINES.iter().map(move |login| (*login, *at)));
        for (person, (login, at)) in theirs.chain(ours).enumerate() {
            for (_, row) in TABLE.iter().enumerate().filter(|(index, _)| extent.has(index + person)) {
                let text = row.text[usize::from(!OURS[..3].contains(&at))];
                said.push((login, at, fake.comment(login, self.thread(at), text)));
            }
        }
        self.engine.settle().await;
        self.engine.look().await;
        for (login, at, comment) in &said {
            if let Err(error) = self.answered(self.thread(*at), *comment, Want::Nothing) {
                wrong.push(format!("{login} at {at:?}: {error}"));
            }
        }
        if self.engine.events(0).await != before {
            wrong.push("machines and strangers changed something".to_owned());
        }
        said.len()
    }
}

fn manifest(version: &str) -> String {
    let digest = FakeRegistry::digest(IMAGE, version);
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{ name: web }}\nspec:\n  containers:\n    - name: web\n      image: {IMAGE}:{version}@{digest}\n"
    )
}

/// Pushes an image, and looks at everything.
async fn release(engine: &Engine, version: &str) {
    engine.registry.push(IMAGE, version, version, &["linux/amd64"], &[], None);
    engine.place.pass(60);
    engine.look().await;
}

/// The open pull request of this release for prod.
fn open(engine: &Engine, version: &str) -> u64 {
    let is_it = |title: &str| title.contains("(prod)") && title.contains(&format!("→ {version} "));
    let threads = engine.place.fake.pull_requests();
    let found = threads.iter().find(|thread| thread.is_open() && is_it(&thread.title));
    found.unwrap_or_else(|| panic!("{version} is not proposed: {}", story(engine))).number
}

fn operations(engine: &Engine) -> u64 {
    let issues = engine.place.fake.issues();
    let found = issues.iter().find(|issue| issue.author == 9_001);
    found.unwrap_or_else(|| panic!("no operations issue: {}", story(engine))).number
}

async fn plain_issue(engine: &Engine) -> u64 {
    let issue = serde_json::json!({"title": "A question", "body": "/rollback prod"});
    let written = engine.place.client("will").call("POST", "/issues", issue).await;
    written.body["number"].as_u64().unwrap()
}

/// What GitHub shows, for a failure.
fn story(engine: &Engine) -> String {
    let fake = &engine.place.fake;
    let threads = fake.pull_requests().into_iter().chain(fake.issues());
    let shown = threads.map(|thread| format!("#{} {}: {}", thread.number, thread.state(), thread.title));
    format!("{}\n{:?}", shown.collect::<Vec<_>>().join("\n"), fake.violations())
}

#[tokio::test]
async fn every_command_by_everybody_everywhere() {
    let Some(mut shop) = Shop::new().await else { return };
    let (begun, mut wrong, extent) = (Instant::now(), Vec::new(), Extent::chosen());
    let silent = shop.silence(extent, &mut wrong).await;
    let mut answered = 0;
    for index in 0..TABLE.len() {
        answered += shop.row(index, extent, &mut wrong).await;
    }
    let count = silent + answered;
    println!(
        "command × role × place, {extent:?}: {count} cases in {:?}, {silent} of them silent",
        begun.elapsed()
    );
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    let verbs: std::collections::BTreeSet<&str> = TABLE.iter().map(|row| row.verb).collect();
    let known = lockkeeper::command::Verb::ALL.map(lockkeeper::command::Verb::name);
    assert!(known.iter().all(|verb| verbs.contains(verb)), "a verb is not in the table");
    let cells = TABLE.len() * (PEOPLE.len() * 6 + MACHINES.len() * 6);
    let tried = match extent {
        Extent::Turn(_) => cells / PARTS - 5..=cells / PARTS + 5,
        Extent::All => cells..=cells,
    };
    assert!(tried.contains(&count), "{count} of {cells}");
    only_good_lines(&mut shop).await;
    only_what_was_written(&mut shop).await;
    shop.engine.place.no_violations();
}

/// What is no command, whoever writes it: on-call says it all on the open promotion.
const NO_COMMANDS: [&str; 14] = [
    "> /rollback prod",
    "```\n/rollback prod\n```",
    "    /rollback prod",
    "`/rollback prod`",
    "<details>\n\n/rollback prod\n\n</details>",
    "<!--\n/rollback prod\n-->",
    "<p>\n/rollback prod\n</p>",
    "please /rollback prod",
    " text\n  and then /rollback prod",
    "- /rollback prod",
    "# /rollback prod",
    "[/rollback prod](https://example.com)",
    "@nobody rollback prod",
    "/etc/passwd is full",
];

/// What is answered and not carried out; nothing of it, however good the other lines are.
const NOT_UNDERSTOOD: [(&str, &str); 6] = [
    ("/rollbak prod", "did you mean `/rollback`?"),
    ("/hold prod\n/status nowhere", "there is no stage or group `nowhere` here"),
    ("/hold\n/status\n/holdd", "did you mean `/hold`?"),
    ("/hold\n/hold\n/hold\n/hold\n/hold\n/hold", "wanted at most 5 commands in a comment, found 6"),
    ("/approve", "an approval is a review"),
    ("/rollback, prod", "wanted a blank after `/rollback`"),
];

/// What is no command is left alone, and one bad line stops all.
async fn only_good_lines(shop: &mut Shop) {
    shop.restore(false).await;
    for text in NO_COMMANDS {
        let events = shop.tell("sam", At::Open, text, Want::Nothing).await;
        assert_eq!(events, Ok(Vec::new()), "{text}");
    }
    for (text, wanted) in NOT_UNDERSTOOD {
        shop.engine.renew();
        let events = shop.tell("sam", At::Open, text, Want::Refused).await;
        assert_eq!(events, Ok(vec!["answered".to_owned(), "replied".to_owned()]), "{text}");
        let comments = shop.engine.place.fake.comments(shop.thread(At::Open));
        let reply = &comments.last().unwrap().body;
        assert!(reply.contains(wanted), "{text}: {reply}");
    }
    shop.engine.renew();
    // Of two good lines one may not: neither is carried out.
    let events = shop.tell("will", At::Open, "/hold\n/rollback", Want::Denied).await;
    assert_eq!(events, Ok(vec!["answered".to_owned(), "replied".to_owned()]));
    let events = shop.tell("sam", At::Open, "Bad news.\n\n/hold\n/rollback INC-7", Want::Done).await.unwrap();
    assert!(events.contains(&"held".to_owned()) && events.contains(&"requested".to_owned()), "{events:?}");
}

/// Only what its author wrote and nobody touched is carried out.
async fn only_what_was_written(shop: &mut Shop) {
    shop.restore(false).await;
    shop.engine.renew();
    let (fake, thread) = (shop.engine.place.fake.clone(), shop.thread(At::Open));
    let before = shop.engine.count().await;
    // Somebody with write access puts words into the mouth of who is on call.
    let harmless = fake.comment("sam", thread, "It looks fine to me.");
    shop.engine.settle().await;
    shop.engine.place.pass(1);
    fake.edit_comment("will", harmless, "/rollback prod");
    shop.engine.settle().await;
    shop.engine.look().await;
    shop.answered(thread, harmless, Want::Nothing).unwrap();
    // Somebody else's sending of it is no writing of it: what the hook says is not what was written.
    let sent = fake.comment("sam", thread, "/status");
    let mut webhooks = fake.take_webhooks();
    let mut told = webhooks[0].payload();
    told["sender"] = told["comment"]["user"].clone();
    told["sender"]["id"] = serde_json::json!(3);
    webhooks[0].body = told.to_string().into_bytes();
    assert_eq!(shop.engine.post(&webhooks[0]).await, 202);
    shop.engine.work().await;
    shop.answered(thread, sent, Want::Nothing).unwrap();
    fake.delete_comment("sam", sent);
    shop.engine.settle().await;
    assert_eq!(shop.engine.events(before).await, Vec::<String>::new());
    // Changed between its writing and its reading: answered, and not carried out; and never a second time.
    for editor in ["will", "sam"] {
        let changed = fake.comment("sam", thread, "/rollback prod to 1.0.0");
        shop.engine.place.pass(1);
        fake.edit_comment(editor, changed, "/rollback prod");
        for _ in 0..2 {
            shop.engine.settle().await;
            shop.engine.look().await;
            shop.answered(thread, changed, Want::Refused).unwrap();
        }
    }
    shop.engine.renew();
    // A good one is carried out once, whatever is done to it afterwards.
    let good = fake.comment("sam", thread, "/rollback prod");
    shop.engine.settle().await;
    shop.answered(thread, good, Want::Done).unwrap();
    let after = shop.engine.count().await;
    shop.engine.place.pass(1);
    fake.edit_comment("sam", good, "/rollback prod to 1.1.0");
    shop.engine.settle().await;
    shop.engine.look().await;
    assert_eq!(shop.engine.events(after).await, Vec::<String>::new());
    shop.answered(thread, good, Want::Done).unwrap();
}
