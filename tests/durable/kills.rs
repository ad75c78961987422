//! Killed at random moments under a stream of deliveries: all that got its 2xx is acted on, and nothing twice.
//!
//! `LOCKKEEPER_KILLS=100` kills so often; `LOCKKEEPER_SEED` repeats a run that was printed, as far as the machine's own
//! timing allows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lockkeeper::forge::local::{LocalForge, People, PeopleFile};
use lockkeeper::forge::{Forge as _, PullRequestState};
use lockkeeper::image::Digest;
use lockkeeper::promotion::{Event, State};
use lockkeeper::repository::{Credentials, Location, Mirror, trailers};
use lockkeeper::store::{Key, Store};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::{Connection as _, SqliteConnection};

use super::process::Place;
use super::world::{STAGES, World};

const KILLS: usize = 8;
const PIPELINES: usize = 4;
/// Longest time from the last delivery until everything is where it belongs.
const QUIET_MAX: Duration = Duration::from_mins(1);

/// A number from the environment.
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Between two releases of a pipeline: a newer one takes the place of one that is not merged yet.
const RELEASE_INTERVAL: Duration = Duration::from_millis(1_500);

/// What was sent and answered with a 2xx: its id, the pipeline and the release.
type Accepted = Vec<(String, usize, u64)>;

/// Tells of releases, now and then of a new one, each time until it is accepted, until it is told to stop.
async fn stream(world: Arc<World>, mut random: StdRng, is_over: Arc<AtomicBool>) -> Accepted {
    let mut accepted = Vec::new();
    let mut newest = [(0_u64, Instant::now()); PIPELINES];
    for number in 0.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let pipeline = random.random_range(0..PIPELINES);
        let (release, since) = &mut newest[pipeline];
        if *release == 0 || since.elapsed() > RELEASE_INTERVAL {
            (*release, *since) = (*release + 1, Instant::now());
            world.push(pipeline, *release);
        }
        let release = *release;
        let id = format!("push-{number}");
        loop {
            match world.deliver(&id, pipeline, release).await {
                Some(answer) if answer.status == 202 => break,
                // Nobody there, cut off in the middle, or not ready: the sender tries again, as registries do.
                Some(_) | None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        accepted.push((id, pipeline, release));
        tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_acts_on_what_it_accepted_and_on_nothing_twice() {
    let kills = setting("LOCKKEEPER_KILLS", KILLS as u64);
    let seed = setting("LOCKKEEPER_SEED", rand::random_range(0..1_000_000));
    println!("LOCKKEEPER_KILLS={kills} LOCKKEEPER_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let world = Arc::new(World::new(PIPELINES).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let sending =
        tokio::spawn(stream(Arc::clone(&world), StdRng::seed_from_u64(seed + 1), Arc::clone(&is_over)));
    for _ in 0..kills {
        // Three in four are killed at work, the others anywhere from their first instruction on.
        let (server, moment) = if random.random_bool(0.75) {
            let place = Arc::clone(&world);
            let server = tokio::task::spawn_blocking(move || place.place.serve()).await.unwrap();
            (server, random.random_range(0..800))
        } else {
            (Place::spawn(world.place.command(&["serve"])), random.random_range(0..400))
        };
        tokio::time::sleep(Duration::from_millis(moment)).await;
        // Without a word, as `kill -9`.
        drop(server);
    }
    let server = world.place.serve();
    is_over.store(true, Ordering::SeqCst);
    let accepted = sending.await.unwrap();
    let begun = Instant::now();
    let found = loop {
        let found = Found::read(&world).await;
        let under_way = found.under_way(&accepted);
        if under_way.is_empty() {
            break found;
        }
        let what = || format!("{}\n{found:?}\nwith seed {seed}: {under_way:?}", server.log());
        assert!(begun.elapsed() < QUIET_MAX, "{}", what());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(server.stop(), 0);
    check_store(&world, &accepted).await;
    let merges = check_merges(&world, &found).await;
    check_forge(&world, &found);
    let count = accepted.len();
    println!(
        "{kills} kills: {count} deliveries accepted, {merges} merges, {} pull requests",
        found.titles.len()
    );
}

/// What there is to see from outside.
#[derive(Debug)]
struct Found {
    /// Of each pipeline and stage, what the file pins.
    pins: BTreeMap<(usize, &'static str), String>,
    /// All pull requests in their order: title, and how they stand.
    titles: Vec<(String, &'static str)>,
    /// Of all comments, the thread and the text.
    comments: Vec<(u64, String)>,
    open: u64,
}

impl Found {
    async fn read(world: &World) -> Self {
        let mirror = mirror(world).await;
        let tip = mirror.tip("main").await.unwrap().unwrap();
        let mut pins = BTreeMap::new();
        for pipeline in 0..world.pipelines {
            for stage in STAGES {
                let bytes = mirror.read(tip, &format!("p{pipeline}/{stage}.yaml")).await.unwrap().unwrap();
                pins.insert((pipeline, stage), String::from_utf8(bytes).unwrap());
            }
        }
        let forge = forge(world, mirror).await;
        let mut titles = Vec::new();
        // Issues share the numbers, and a kill may burn one.
        for number in 1..next_number(world) {
            let Ok(found) = forge.pull_request(number).await else { continue };
            let state = match found.state {
                PullRequestState::Open => "open",
                PullRequestState::Merged { .. } => "merged",
                PullRequestState::Closed { .. } => "closed",
            };
            titles.push((found.title, state));
        }
        let comments = forge.comments_after(0, 100_000).await.unwrap();
        let comments = comments.into_iter().map(|comment| (comment.thread, comment.body)).collect();
        let store = Store::open(&world.store()).await.unwrap();
        let open = store.counts().await.unwrap().deliveries_open;
        store.close().await;
        Self { pins, titles, comments, open }
    }

    /// What is not yet as far as it can go without people: deliveries, and the newest release of each pipeline.
    fn under_way(&self, accepted: &Accepted) -> Vec<String> {
        let mut newest: BTreeMap<usize, u64> = BTreeMap::new();
        for (_, pipeline, release) in accepted {
            newest.entry(*pipeline).and_modify(|newest| *newest = *release.max(newest)).or_insert(*release);
        }
        let mut under_way = Vec::new();
        if self.open > 0 {
            under_way.push(format!("{} deliveries open", self.open));
        }
        for (pipeline, release) in newest {
            let tag = format!(":1.0.{release}@");
            for stage in ["dev", "staging"] {
                if !self.pins[&(pipeline, stage)].contains(&tag) {
                    under_way.push(format!("p{pipeline} 1.0.{release} not in {stage}"));
                }
            }
            let title = format!("promote(prod): p{pipeline} 1.0.0 → 1.0.{release} ");
            let is_open = |(found, state): &(String, &str)| *state == "open" && found.starts_with(&title);
            if !self.titles.iter().any(is_open) {
                under_way.push(format!("p{pipeline} 1.0.{release} not proposed to prod"));
            }
        }
        under_way
    }
}

/// The number that the forge gives next.
fn next_number(world: &World) -> u64 {
    let bytes = std::fs::read(world.folder.path().join("forge/sequence.json")).unwrap_or_default();
    let sequence: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    sequence["next_number"].as_u64().unwrap_or(1)
}

async fn mirror(world: &World) -> Mirror {
    let folder = world.folder.path().join("looking");
    std::fs::create_dir_all(&folder).unwrap();
    Mirror::open(Location::File(world.bare()), &folder.join("env"), Credentials::default()).await.unwrap()
}

async fn forge(world: &World, mirror: Mirror) -> LocalForge {
    let people = People::fixed(PeopleFile { people: vec![], apps: vec![] });
    let now = Arc::new(jiff::Timestamp::now);
    let url = "http://127.0.0.1:1".to_owned();
    LocalForge::open(&world.folder.path().join("forge"), mirror, people, url, now).await.unwrap()
}

/// Every accepted delivery was looked at; the events follow from each other, and give the state that is kept.
async fn check_store(world: &World, accepted: &Accepted) {
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", world.store().display())).await.unwrap();
    let closed: Vec<String> = sqlx::query_scalar("SELECT id FROM delivery WHERE closed_at IS NOT NULL")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let closed: BTreeSet<String> = closed.into_iter().collect();
    for (id, ..) in accepted {
        assert!(closed.contains(&format!("registry:{id}")), "{id} was accepted and is not there");
    }
    connection.close().await.unwrap();
    let store = Store::open(&world.store()).await.unwrap();
    store.check().await.unwrap();
    for pipeline in 0..world.pipelines {
        let key = Key::pipeline("env", format!("p{pipeline}").parse().unwrap());
        let mut state = State::default();
        let mut once = BTreeSet::new();
        for (_, entry) in store.entries(&key, 0, 1_000_000).await.unwrap() {
            state.apply(&entry).unwrap();
            let name = entry.event.name();
            if let Event::Proposed { number, .. }
            | Event::Closed { number, .. }
            | Event::Merged { number: Some(number), .. } = entry.event
            {
                assert!(once.insert((name, number)), "{name} of {number} twice");
            }
        }
        let (_, fold) = store.fold(&key).await.unwrap().unwrap();
        assert_eq!(serde_json::to_value(&state).unwrap(), fold, "the state of p{pipeline}");
    }
    store.close().await;
}

/// On main, each release came into a stage at most once and never an older one after a newer; the files hold it exactly.
async fn check_merges(world: &World, found: &Found) -> usize {
    let mirror = mirror(world).await;
    let tip = mirror.tip("main").await.unwrap().unwrap();
    let mut commits = mirror.first_parents(tip, 100_000).await.unwrap();
    commits.reverse();
    let mut newest: BTreeMap<(String, String), (u64, Digest)> = BTreeMap::new();
    for commit in &commits[1..] {
        let lines: BTreeMap<_, _> = trailers(&commit.message).into_iter().collect();
        let value = |name: &str| lines[&format!("Lockkeeper-{name}")].clone();
        let change = value("Change");
        let pinned = change.split(' ').nth(1).unwrap();
        let (tag, digest) = pinned.split_once('@').unwrap();
        let release: u64 = tag.strip_prefix("1.0.").unwrap().parse().unwrap();
        let place = (value("Pipeline"), value("Stage"));
        let before = newest.insert(place.clone(), (release, digest.parse().unwrap()));
        assert!(before.is_none_or(|(before, _)| before < release), "{place:?}: {release} after {before:?}");
    }
    for ((pipeline, stage), pins) in &found.pins {
        if let Some((release, digest)) = newest.get(&(format!("p{pipeline}"), (*stage).to_owned())) {
            assert_eq!(*pins, world.manifest(*pipeline, *release, *digest));
        }
    }
    commits.len() - 1
}

/// No pull request for the same twice, none left over, no comment twice.
fn check_forge(world: &World, found: &Found) {
    let mut titles = BTreeSet::new();
    for (title, state) in &found.titles {
        assert!(titles.insert(title), "two pull requests `{title}`");
        assert!(*state != "open" || title.starts_with("promote(prod)"), "`{title}` is left open");
    }
    let open = found.titles.iter().filter(|(_, state)| *state == "open").count();
    assert!(open <= world.pipelines, "{:?}", found.titles);
    let mut said = BTreeSet::new();
    for comment in &found.comments {
        assert!(said.insert(comment), "twice: {comment:?}");
    }
}
