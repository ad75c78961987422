//! Telling people: what is told, to whom, in what form, and what becomes of it where the other side does not take it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/receiver.rs"]
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lockkeeper::image::{Digest, Release};
use lockkeeper::notify::{self, Pace, SIGNATURE_HEADER, Telling};
use lockkeeper::promotion::{Entry, Event};
use lockkeeper::settings::{Address, NotifyForm, NotifyTarget, Occasion, Secret};
use lockkeeper::store::{Key, Store, Urgency};
use lockkeeper::telemetry::Metrics;
use receiver::{Receiver, Reply};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const START: i64 = 1_800_000_000;
const LEASE: Duration = Duration::from_mins(1);
const SECRET: &str = "sesame";

/// A history, and those who are told of it.
struct World {
    folder: tempfile::TempDir,
    clock: Arc<AtomicI64>,
    metrics: Arc<Metrics>,
    pace: Pace,
    told: Vec<JoinHandle<()>>,
}

impl World {
    fn new() -> Self {
        let pace = Pace {
            retry_min: Duration::from_millis(10),
            gather: Duration::from_millis(1),
            timeout: Duration::from_secs(1),
            ..Pace::default()
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(AtomicI64::new(START)),
            metrics: Arc::default(),
            pace,
            told: Vec::new(),
        }
    }

    async fn store(&self) -> Store {
        Store::open(&self.folder.path().join("store.db")).await.unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }

    async fn start(&mut self, store: &Store, targets: Vec<NotifyTarget>) {
        let clock = Arc::clone(&self.clock);
        let telling = Telling {
            store: store.clone(),
            url_prefixes: BTreeMap::from([("env".to_owned(), "https://forge.example/env/pulls/".to_owned())]),
            metrics: Arc::clone(&self.metrics),
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::SeqCst)).unwrap()),
            pace: self.pace,
        };
        self.told = notify::start(telling, targets).await.unwrap();
    }

    /// As a process that is killed.
    async fn stop(&mut self) {
        for task in self.told.drain(..) {
            task.abort();
            let _ = task.await;
        }
    }

    async fn append_at(&self, store: &Store, key: &Key, at: Timestamp, events: Vec<Event>) {
        store.mark(std::slice::from_ref(key), at, Urgency::Time).await.unwrap();
        let lease = store.claim_key(key, at, LEASE).await.unwrap().unwrap();
        let entries: Vec<Entry> = events.into_iter().map(|event| Entry { at, event }).collect();
        store.record(lease, &entries, &[], None, &Value::Null, None).await.unwrap();
    }

    async fn append(&self, store: &Store, pipeline: &str, events: Vec<Event>) {
        self.append_at(store, &key(pipeline), self.now(), events).await;
    }

    /// The figures of a target, by outcome.
    fn figures(&self, target: &str) -> BTreeMap<String, u32> {
        let text = self.metrics.render();
        let of = |line: &str| {
            let prefix = format!("lockkeeper_notifications_total{{target=\"{target}\",outcome=\"");
            let (outcome, count) = line.strip_prefix(&prefix)?.split_once("\"} ")?;
            Some((outcome.to_owned(), count.parse().ok()?))
        };
        text.lines().filter_map(of).collect()
    }

    /// Waits for the figure of an outcome: what was sent is counted once its answer was read.
    async fn wait_for_figure(&self, target: &str, outcome: &str, count: u32) {
        let waiting = async {
            while self.figures(target).get(outcome) != Some(&count) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(1), waiting).await;
        assert!(waited.is_ok(), "wanted {count} {outcome}, found {:?}", self.figures(target));
    }
}

/// The ids of what was sent, without the time at their ends.
fn ids(receiver: &Receiver) -> Vec<String> {
    let told = receiver.told();
    told.iter().map(|told| told.id().rsplit_once('/').unwrap().0.to_owned()).collect()
}

fn key(pipeline: &str) -> Key {
    Key::pipeline("env", pipeline.parse().unwrap())
}

fn target(name: &str, url: &str, form: NotifyForm) -> NotifyTarget {
    NotifyTarget {
        name: name.to_owned(),
        address: Address::parse(url).unwrap(),
        form,
        secret: Secret::new(SECRET),
        occasions: Occasion::ALL.into(),
        pipelines: None,
        stages: None,
        files: Vec::new(),
    }
}

fn digest(version: &str) -> Digest {
    Digest::of(version.as_bytes())
}

fn release(version: &str) -> Release {
    let images = json!({ "registry.example/shop/web": { "tag": version, "digest": digest(version) } });
    serde_json::from_value(images).unwrap()
}

fn event(value: Value) -> Event {
    serde_json::from_value(value).unwrap()
}

fn person(name: &str) -> Value {
    json!({ "id": 7, "name": name, "via": "comment 12" })
}

fn merged(stage: &str, lane: &str, version: &str, number: Option<u64>) -> Event {
    event(json!({
        "event": "merged", "stage": stage, "lane": lane, "release": release(version), "was": release("1.0.0"),
        "number": number, "commit": "0".repeat(40), "approvals": [], "requested_by": null, "reason": null,
    }))
}

fn promoted(version: &str) -> Vec<Event> {
    vec![merged("prod", "normal", version, Some(5))]
}

fn watch_ended(end: &str, followed: &str, why: &str) -> Event {
    event(json!({
        "event": "watch_ended", "stage": "prod", "release": release("1.4.2"), "number": 12, "end": end, "why": why,
        "followed": followed,
    }))
}

/// One of each kind, with texts of people who mean harm, between events of which nobody is told.
fn everything() -> Vec<Event> {
    let evil = "<!channel> @here `*x*` & <https://evil.example|click> https://evil.example\nsecond line";
    vec![
        event(json!({ "event": "seen", "release": release("1.4.2") })),
        event(json!({
            "event": "proposing", "stage": "prod", "lane": "normal", "release": release("1.4.2"),
            "was": release("1.4.1"), "attempt": 1, "base": "0".repeat(40), "branch": "b",
            "requested_by": person("anna"), "reason": evil,
        })),
        event(json!({
            "event": "proposed", "stage": "prod", "number": 12, "head": "0".repeat(40),
            "waits_for": "1 approval by `team:acme/leads`",
        })),
        event(json!({ "event": "announced", "number": 12 })),
        event(json!({
            "event": "answered", "command": "comment:3", "place": [12, 3], "outcome": "done", "text": "done",
        })),
        event(json!({ "event": "replied", "command": "comment:3" })),
        event(json!({
            "event": "merged", "stage": "prod", "lane": "normal", "release": release("1.4.2"),
            "was": release("1.4.1"), "number": 12, "commit": "0".repeat(40), "approvals": [
                { "person": person("bo<b>"), "review": 3, "head": "0".repeat(40) },
            ], "requested_by": person("anna"), "reason": evil,
        })),
        event(json!({
            "event": "merged", "stage": "prod", "lane": "rollback", "release": release("1.4.1"),
            "was": release("1.4.2"), "number": 13, "commit": "0".repeat(40), "approvals": [],
            "requested_by": person("cy"), "reason": "INC-2041 p99 too high",
        })),
        event(json!({
            "event": "missing", "stage": "prod", "repository": "registry.example/shop/web",
            "digest": digest("1.4.1"), "what": "its manifest",
        })),
        watch_ended("failed", "rolling_back", evil),
        // What passed, or was replaced, is no news.
        watch_ended("passed", "nothing", "2/2 run"),
        watch_ended("cut_short", "nothing", "1.4.3 took its place"),
        // One that waits for nobody, as those of stages without approvals.
        event(json!({ "event": "proposed", "stage": "dev", "number": 14, "head": "0".repeat(40) })),
    ]
}

/// What [`everything`] is as cloud events; what is `null` in all of them is left out.
fn cloud_events() -> Vec<Value> {
    let image = |version: &str| json!([{ "repository": "registry.example/shop/web", "tag": version, "digest": digest(version) }]);
    let data = |news: Value| {
        let mut data = json!({
            "repository": "env", "pipeline": "checkout", "stage": "prod", "lane": null, "version": null,
            "release": [], "was_version": null, "was": null, "pull_request": null, "waits_for": null,
            "approved_by": [], "by": null, "reason": null,
        });
        for (key, value) in news.as_object().unwrap() {
            assert!(data.get(key).is_some(), "{key}");
            data[key] = value.clone();
        }
        data
    };
    let event = |sequence: u64, kind: &str, news: Value| {
        json!({
            "specversion": "1.0", "id": format!("env/checkout/{sequence}/{START}"), "source": "env/checkout",
            "type": format!("dev.lockkeeper.{kind}"), "subject": "prod", "time": "2027-01-15T08:00:00Z",
            "datacontenttype": "application/json", "data": data(news),
        })
    };
    let evil = "<!channel> @here `*x*` & <https://evil.example|click> https://evil.example second line";
    let page = |number: u64| format!("https://forge.example/env/pulls/{number}");
    vec![
        event(
            3,
            "promotion.waiting",
            json!({
                "lane": "normal", "version": "1.4.2", "release": image("1.4.2"), "was_version": "1.4.1",
                "was": image("1.4.1"), "pull_request": page(12), "waits_for": "1 approval by `team:acme/leads`",
                "by": "anna", "reason": evil,
            }),
        ),
        event(
            7,
            "promotion.merged",
            json!({
                "lane": "normal", "version": "1.4.2", "release": image("1.4.2"), "was_version": "1.4.1",
                "was": image("1.4.1"), "pull_request": page(12), "approved_by": ["bo<b>"], "by": "anna", "reason": evil,
            }),
        ),
        event(
            8,
            "rollback.merged",
            json!({
                "lane": "rollback", "version": "1.4.1", "release": image("1.4.1"), "was_version": "1.4.2",
                "was": image("1.4.2"), "pull_request": page(13), "by": "cy", "reason": "INC-2041 p99 too high",
            }),
        ),
        event(
            9,
            "rollback_target.missing",
            json!({
                "release": [{ "repository": "registry.example/shop/web", "tag": null, "digest": digest("1.4.1") }],
                "reason": "its manifest",
            }),
        ),
        event(
            10,
            "watch.failed",
            json!({
                "version": "1.4.2", "release": image("1.4.2"), "pull_request": page(12),
                "reason": format!("failed: {evil}"),
            }),
        ),
    ]
}

/// The same for people; `_` stands for the invisible word joiner.
fn texts() -> Vec<String> {
    let (new, old) = (release("1.4.2").short(), release("1.4.1").short());
    let asked = "Asked for by `anna`. Reason: `&lt;!_channel&gt; @_here '*x*' &amp; &lt;https:_//evil.example|click&gt; \
         https:_//evil.example second line`. <https://forge.example/env/pulls/12|Pull request>";
    let texts = [
        format!(
            "promotion of `1.4.2` (`{new}`) waits for 1 approval by `team:acme/leads`, was `1.4.1`. {asked}"
        ),
        format!("promoted to `1.4.2` (`{new}`), was `1.4.1`, approved by `bo&lt;b&gt;`. {asked}"),
        format!(
            "rolled back to `1.4.1` (`{old}`), was `1.4.2`. Asked for by `cy`. Reason: `INC-2041 p99 too high`. \
             <https://forge.example/env/pulls/13|Pull request>"
        ),
        format!(
            "`registry.example/shop/web` `{}` is not in its registry any more; it is live there, or a rollback would \
             need it. Reason: `its manifest`.",
            digest("1.4.1")
        ),
        format!(
            "the watch of `1.4.2` (`{new}`) did not pass; the stage goes back by itself. Reason: `failed: \
             &lt;!_channel&gt; @_here '*x*' &amp; &lt;https:_//evil.example|click&gt; https:_//evil.example second line`. \
             <https://forge.example/env/pulls/12|Pull request>"
        ),
    ];
    texts.map(|text| format!("`env/checkout` `prod`: {text}").replace('_', "\u{2060}")).into()
}

#[tokio::test]
async fn each_kind_is_told_once_in_both_forms_and_signed() {
    let (events, chat) = (Receiver::start().await, Receiver::start().await);
    let mut world = World::new();
    let store = world.store().await;
    let mut chat_target = target("chat", &chat.url(), NotifyForm::Slack);
    chat_target.secret = None;
    world.start(&store, vec![target("events", &events.url(), NotifyForm::CloudEvents), chat_target]).await;
    world.append(&store, "checkout", everything()).await;
    world.append(&store, "web", promoted("2.0.0")).await;
    let (told, said) = (events.wait_for(6).await, chat.wait_for(6).await);
    world.wait_for_figure("events", "told", 6).await;
    world.wait_for_figure("chat", "told", 6).await;
    let found: Vec<Value> = told.iter().map(receiver::Told::json).collect();
    assert_eq!(found[..5], cloud_events());
    assert_eq!(found[5]["id"], format!("env/web/1/{START}"));
    let found: Vec<String> =
        said.iter().map(|said| said.json()["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found[..5], texts());
    // Verified by another implementation than the one that signs.
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    for told in &told {
        assert_eq!(told.header("content-type"), Some("application/cloudevents+json"));
        let signature = told.header(SIGNATURE_HEADER).unwrap().strip_prefix("sha256=").unwrap();
        aws_lc_rs::hmac::verify(&key, &told.body, &hex::decode(signature).unwrap()).unwrap();
    }
    for said in &said {
        assert_eq!(said.header("content-type"), Some("application/json"));
        assert_eq!(said.header(SIGNATURE_HEADER), None);
        let text = said.json()["text"].as_str().unwrap().to_owned();
        let links: Vec<&str> = text.match_indices('<').map(|(at, _)| &text[at + 1..]).collect();
        assert!(links.iter().all(|link| link.starts_with("https://forge.example/env/pulls/")), "{text}");
        for acting in ["@here", "https://evil", "<!", "\n"] {
            assert!(!text.contains(acting), "{acting:?} in {text}");
        }
    }
}

#[tokio::test]
async fn a_stop_in_the_middle_loses_nothing_and_tells_again_only_by_the_same_id() {
    let receiver = Receiver::start().await;
    let mut world = World::new();
    let store = world.store().await;
    let targets = || vec![target("t", &receiver.url(), NotifyForm::CloudEvents)];
    world.start(&store, targets()).await;
    receiver.reply([Reply::Status(200, String::new()), Reply::Hang]);
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        world.append(&store, "checkout", promoted(version)).await;
    }
    // The second was sent, and its answer is not there.
    receiver.wait_for(2).await;
    world.stop().await;
    // Happens while nobody is told.
    world.append(&store, "checkout", promoted("1.4.0")).await;
    store.close().await;
    drop(store);

    let store = world.store().await;
    world.start(&store, targets()).await;
    receiver.wait_for(5).await;
    // Until that is on record: a stop before would tell the fourth again.
    while !store.cursor("notify:t").await.unwrap().unwrap().starts_with("4 ") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.stop().await;
    world.start(&store, targets()).await;
    world.append(&store, "checkout", promoted("1.5.0")).await;
    receiver.wait_for(6).await;
    let want = [1, 2, 2, 3, 4, 5].map(|sequence| format!("env/checkout/{sequence}"));
    assert_eq!(ids(&receiver), want);
}

/// What a target answers at first, how often it hears the first message, and the figures in the end.
type Answers = (Vec<Reply>, usize, Vec<(&'static str, u32)>);

#[tokio::test]
async fn a_bad_target_blocks_neither_others_nor_itself() {
    let elsewhere = Receiver::start().await;
    let status = |status, headers: &str| Reply::Status(status, headers.to_owned());
    let moved = format!("location: {}\r\n", elsewhere.url());
    let (told, retried, refused) = ("told", "retried", "refused");
    let cases: Vec<Answers> = vec![
        (vec![status(500, ""), status(503, "")], 3, vec![(told, 2), (retried, 2)]),
        (vec![status(429, "retry-after: 1\r\n")], 2, vec![(told, 2), (retried, 1)]),
        (
            vec![status(429, "retry-after: Wed, 21 Oct 2099 07:28:00 GMT\r\n")],
            2,
            vec![(told, 2), (retried, 1)],
        ),
        (vec![status(408, ""), Reply::Hang], 3, vec![(told, 2), (retried, 2)]),
        (vec![status(404, "retry-after: 9999\r\n"); 3], 3, vec![(told, 1), (retried, 2), (refused, 1)]),
        (
            vec![status(307, &moved), status(301, &moved), status(302, &moved)],
            3,
            vec![(told, 1), (retried, 2), (refused, 1)],
        ),
        (vec![Reply::FloodOfBody], 1, vec![(told, 2)]),
        (vec![Reply::FloodOfHeaders], 2, vec![(told, 2), (retried, 1)]),
    ];
    let good = Receiver::start().await;
    for (index, (replies, sent, figures)) in cases.into_iter().enumerate() {
        let (bad, good) = (Receiver::start().await, good.clone());
        let context = format!("{replies:?}");
        let mut world = World::new();
        let store = world.store().await;
        let targets = vec![
            target("bad", &bad.url(), NotifyForm::CloudEvents),
            target("good", &good.url(), NotifyForm::CloudEvents),
        ];
        bad.reply(replies);
        world.start(&store, targets).await;
        world.append(&store, "checkout", promoted("1.1.0")).await;
        world.append(&store, "checkout", promoted("1.2.0")).await;
        good.wait_for(2 * (index + 1)).await;
        bad.wait_for(sent + 1).await;
        world.wait_for_figure("bad", told, figures[0].1).await;
        let first = vec!["env/checkout/1".to_owned(); sent];
        assert_eq!(ids(&bad), [first, vec!["env/checkout/2".to_owned()]].concat(), "{context}");
        let want: BTreeMap<String, u32> =
            figures.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(world.figures("bad"), want, "{context}");
        world.stop().await;
    }
    assert!(elsewhere.told().is_empty(), "redirects are not followed");
}

#[tokio::test]
async fn what_is_too_old_is_given_up_and_counted() {
    let receiver = Receiver::start().await;
    let mut world = World::new();
    let store = world.store().await;
    world.start(&store, vec![target("t", &receiver.url(), NotifyForm::CloudEvents)]).await;
    receiver.reply([Reply::Hang]);
    world.append(&store, "checkout", promoted("1.1.0")).await;
    receiver.wait_for(1).await;
    // The clock goes on before the answer is out of time.
    world.clock.fetch_add(24 * 3600 + 1, Ordering::SeqCst);
    world.wait_for_figure("t", "expired", 1).await;
    world.append(&store, "checkout", promoted("1.2.0")).await;
    receiver.wait_for(2).await;
    assert_eq!(ids(&receiver), ["env/checkout/1", "env/checkout/2"]);
}

#[tokio::test]
async fn the_past_is_not_told_and_filters_hold() {
    let (all, few) = (Receiver::start().await, Receiver::start().await);
    let mut world = World::new();
    let store = world.store().await;
    world.append(&store, "checkout", promoted("1.1.0")).await;
    world.clock.fetch_add(60, Ordering::SeqCst);
    let mut picky = target("few", &few.url(), NotifyForm::CloudEvents);
    picky.occasions = BTreeSet::from([Occasion::RolledBack]);
    picky.pipelines = Some(BTreeSet::from(["checkout".parse().unwrap()]));
    picky.stages = Some(BTreeSet::from(["prod".parse().unwrap()]));
    world.start(&store, vec![target("all", &all.url(), NotifyForm::CloudEvents), picky]).await;
    // Read from git anew: it was before, or has no pull request; a rollback made by hand since is told.
    let before = world.now() - Duration::from_secs(1);
    world.append_at(&store, &key("web"), before, vec![merged("prod", "rollback", "1.0.0", Some(3))]).await;
    world.append(&store, "web", vec![merged("prod", "normal", "1.1.0", None)]).await;
    world.append(&store, "web", vec![merged("prod", "rollback", "1.1.0", None)]).await;
    world.append(&store, "checkout", promoted("1.2.0")).await;
    world.append(&store, "checkout", vec![merged("dev", "rollback", "1.2.0", Some(4))]).await;
    world.append(&store, "checkout", vec![merged("prod", "rollback", "1.2.0", Some(6))]).await;
    all.wait_for(4).await;
    few.wait_for(1).await;
    assert_eq!(ids(&all), ["env/web/3", "env/checkout/2", "env/checkout/3", "env/checkout/4"]);
    assert_eq!(ids(&few), ["env/checkout/4"]);
}

#[tokio::test]
async fn the_order_of_a_pipeline_is_kept_over_many_events() {
    let receiver = Receiver::start().await;
    let mut world = World::new();
    let store = world.store().await;
    world.start(&store, vec![target("t", &receiver.url(), NotifyForm::CloudEvents)]).await;
    world.stop().await;
    for (pipeline, count) in [("checkout", 120), ("web", 30), ("checkout", 1)] {
        let events = (0..count).map(|patch| merged("prod", "normal", &format!("1.0.{patch}"), Some(5)));
        world.append(&store, pipeline, events.collect()).await;
    }
    receiver.reply([Reply::Status(500, String::new())]);
    world.start(&store, vec![target("t", &receiver.url(), NotifyForm::CloudEvents)]).await;
    receiver.wait_for(152).await;
    let of = |pipeline: &str| {
        let ids = ids(&receiver);
        let prefix = format!("env/{pipeline}/");
        ids.iter().filter_map(|id| id.strip_prefix(&prefix)?.parse::<u64>().ok()).collect::<Vec<_>>()
    };
    assert_eq!(of("checkout"), [1].into_iter().chain(1..=121).collect::<Vec<_>>());
    assert_eq!(of("web"), (1..=30).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_test_says_that_nothing_happened_or_why_it_did_not_arrive() {
    let receiver = Receiver::start().await;
    let now = Timestamp::from_second(START).unwrap();
    let events = target("events", &receiver.url(), NotifyForm::CloudEvents);
    notify::test(&events, now).await.unwrap();
    notify::test(&target("oncall", &receiver.url(), NotifyForm::Slack), now).await.unwrap();
    let told = receiver.told();
    assert_eq!(told[0].json()["type"], "dev.lockkeeper.test");
    assert!(told[0].header(SIGNATURE_HEADER).unwrap().starts_with("sha256="));
    assert_eq!(
        told[1].json(),
        json!({ "text": "A test of lockkeeper's target `oncall`: nothing happened." })
    );
    receiver.reply([Reply::Status(403, String::new())]);
    assert_eq!(notify::test(&events, now).await.unwrap_err(), "answered 403 Forbidden");
}

/// A store that is made anew numbers its events as the lost one did: they are others all the same.
#[tokio::test]
async fn no_id_comes_again_after_the_store_was_lost() {
    let receiver = Receiver::start().await;
    for _ in 0..2 {
        let mut world = World::new();
        world.clock.fetch_add(i64::try_from(receiver.told().len()).unwrap(), Ordering::SeqCst);
        let store = world.store().await;
        world.start(&store, vec![target("t", &receiver.url(), NotifyForm::CloudEvents)]).await;
        let count = receiver.told().len() + 1;
        world.append(&store, "checkout", promoted("1.1.0")).await;
        receiver.wait_for(count).await;
        world.stop().await;
    }
    assert_eq!(ids(&receiver), ["env/checkout/1"; 2]);
    assert_ne!(receiver.told()[0].id(), receiver.told()[1].id());
}
