//! What one event costs among many pipelines, what a thousand pipelines hold in memory, and how long a start takes.
//!
//! Everything is real: the store on disk, git over files, the local forge, a registry over loopback. The store, the
//! registry's side and the forge are in this process where events are counted; memory and start are those of the
//! program itself.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a benchmark fails where it stands"
)]

mod support;

use std::alloc::System;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lockkeeper::demo::registry::DemoRegistry;
use lockkeeper::forge::Forge as _;
use lockkeeper::forge::local::LocalForge;
use lockkeeper::promotion::{Entry, Event};
use lockkeeper::pull_request::{Person, Verdict};
use lockkeeper::reconcile::{self, World};
use lockkeeper::server::assemble::{Assembly, assemble};
use lockkeeper::server::run::Tally;
use lockkeeper::settings::Settings;
use lockkeeper::store::{Delivery, Hint, Key, Urgency};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use support::fleet::{Fleet, Follow};
use support::measure::{Cost, quick};
use support::server::Server;
use support::table::{Table, figures, megabytes, millis};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Whether statements are counted now; the rest of the time nothing is logged.
static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

const STAGES: [&str; 4] = ["dev", "staging", "canary", "prod"];
/// Events measured at each size, after some that are not.
const EVENTS: usize = 20;
const WARM: usize = 5;

fn main() {
    let counted = tracing_subscriber::fmt::layer().with_writer(|| Statements).with_filter(dynamic_filter_fn(
        |found, _| IS_COUNTING.load(Ordering::Relaxed) && found.target() == "sqlx::query",
    ));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(counted)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let sizes: &[usize] = if quick() { &[10, 100] } else { &[10, 100, 1_000, 10_000] };
    // One size alone, to look into it.
    let only: Option<usize> = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let folder = tempfile::tempdir_in(target).unwrap();
    let mut table = Table::new(
        "One event among many pipelines",
        &["pipelines", "what", "wall", "CPU", "SQL statements", "allocations", "allocated"],
    );
    let registry = runtime.block_on(DemoRegistry::start(Vec::new())).unwrap();
    let fleet = |name: String, size| {
        let address = registry.address().to_string();
        let folder = folder.path().join(name);
        runtime.block_on(Fleet::new(&folder, size, &STAGES, address, Follow::Versions))
    };
    for &size in sizes.iter().filter(|size| only.is_none_or(|only| only == **size)) {
        let fleet = fleet(size.to_string(), size);
        runtime.block_on(events(&fleet, &mut table));
    }
    table.print();
    if only.is_some() {
        return;
    }
    let (small, large) = if quick() { (10, 100) } else { (1_000, 10_000) };
    let mut table = Table::new(
        "The program itself",
        &[
            "pipelines × stages",
            "events in the store",
            "ready after",
            "all looked at after",
            "CPU",
            "peak memory",
        ],
    );
    for (size, events) in [(small, 0), (large, 10 * large)] {
        let fleet = fleet(format!("serve-{size}"), size);
        if events > 0 {
            runtime.block_on(fill(&fleet, events));
        }
        runtime.block_on(starts(&fleet, events, &mut table));
    }
    table.print();
}

/// Counts statements: sqlx logs one line for each.
struct Statements;

impl Write for Statements {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The parts of a server over the fleet, with everything looked at once.
async fn parts(fleet: &Fleet) -> Assembly {
    let settings = Settings::load_from(Some(&fleet.settings_file()), []).unwrap();
    let tally = Tally::new(&settings);
    let assembly = assemble(&settings, tally).await.unwrap();
    reconcile::start(&assembly.world).await.unwrap();
    until_idle(&assembly.world).await;
    assembly
}

async fn until_idle(world: &World) {
    while reconcile::run_one(world).await.unwrap() {}
}

/// A push to its pull request, an approval to its merge, and the look at the repository after that.
async fn events(fleet: &Fleet, table: &mut Table) {
    let Assembly { world, forges, .. } = parts(fleet).await;
    // Spread over all pipelines, so that nothing is warm because it was just there.
    let chosen =
        |event: usize| event * fleet.pipelines / (WARM + 2 * EVENTS).min(fleet.pipelines) % fleet.pipelines;
    let count = (WARM + 2 * EVENTS).min(fleet.pipelines);
    let (mut pushes, mut merges, mut sweeps) = (Sum::default(), Sum::default(), Sum::default());
    for event in 0..count {
        let pipeline = chosen(event);
        fleet.push(pipeline, 1).await;
        let key = Key::pipeline(Fleet::repository(pipeline), format!("app-{pipeline}").parse().unwrap());
        let forge = &forges[&key.repository];
        let is_counted = event >= WARM.min(count / 2);
        pushes.take(is_counted, event, push(&world, fleet, pipeline)).await;
        let open = open_pull_request(&world, forge, &key).await;
        forge.review(&kim(), open.0, open.1, Verdict::Approved).await.unwrap();
        merges.take(is_counted, event, look(&world, &key)).await;
        sweeps.take(is_counted, event, look(&world, &Key::repository(&key.repository))).await;
    }
    for (what, sum) in
        [("push → pull request", pushes), ("approval → merge", merges), ("sweep after the merge", sweeps)]
    {
        table.row(sum.cells(fleet.pipelines, what));
    }
}

fn kim() -> Person {
    Person { id: 11, name: "kim".to_owned(), bot: false }
}

/// What the registry's webhook leads to.
async fn push(world: &World, fleet: &Fleet, pipeline: usize) {
    let image = fleet.image(pipeline);
    let concerned = world.store.watchers(&image).await.unwrap();
    assert_eq!(concerned.len(), 1);
    let hint =
        Hint::Image { repository: image.clone(), registry: None, tags: vec![fleet.tag(1)], digest: None };
    let received_at = Timestamp::now();
    let delivery = Delivery {
        id: format!("push-{pipeline}"),
        source: "bench".to_owned(),
        received_at,
        hints: vec![hint],
    };
    world.store.put(&delivery, &concerned).await.unwrap();
    until_idle(world).await;
}

/// What an activity at the forge leads to.
async fn look(world: &World, key: &Key) {
    world.store.mark(std::slice::from_ref(key), Timestamp::now(), Urgency::Time).await.unwrap();
    until_idle(world).await;
}

async fn open_pull_request(
    world: &World,
    forge: &Arc<LocalForge>,
    key: &Key,
) -> (u64, lockkeeper::repository::CommitId) {
    let open = forge.open_pull_requests("main").await.unwrap();
    let branch = format!("/{}/", key.pipeline.as_ref().unwrap());
    let found = open.iter().find(|found| found.branch.contains(&branch));
    let found =
        found.unwrap_or_else(|| panic!("no pull request for {key} in {:?}", world.repositories.len()));
    (found.number, found.head)
}

/// What some events cost, added up.
#[derive(Default)]
struct Sum {
    cost: Cost,
    count: u32,
    allocations: usize,
    bytes: usize,
    statements: u64,
    statements_count: u64,
}

impl Sum {
    /// Runs one; every other one counts statements instead of time, since counting takes time itself.
    async fn take(&mut self, is_counted: bool, event: usize, work: impl Future<Output = ()>) {
        if !is_counted {
            return work.await;
        }
        if event.is_multiple_of(2) {
            STATEMENTS.store(0, Ordering::Relaxed);
            IS_COUNTING.store(true, Ordering::Relaxed);
            tracing::callsite::rebuild_interest_cache();
            work.await;
            IS_COUNTING.store(false, Ordering::Relaxed);
            self.statements += STATEMENTS.load(Ordering::Relaxed);
            self.statements_count += 1;
            return;
        }
        let region = Region::new(ALLOCATOR);
        let (start, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        work.await;
        self.cost.wall += start.elapsed();
        self.cost.cpu += cpu.elapsed();
        let change = region.change();
        self.allocations += change.allocations;
        self.bytes += change.bytes_allocated;
        self.count += 1;
    }

    #[allow(clippy::cast_precision_loss, reason = "three figures are printed")]
    fn cells(&self, pipelines: usize, what: &str) -> [String; 7] {
        let count = f64::from(self.count);
        [
            pipelines.to_string(),
            what.to_owned(),
            millis(self.cost.wall / self.count),
            millis(self.cost.cpu / self.count),
            figures(self.statements as f64 / self.statements_count as f64),
            format!("{:.0}", self.allocations as f64 / count),
            megabytes(self.bytes as u64 / u64::from(self.count)),
        ]
    }
}

/// Looks at everything once, and gives every pipeline a history.
async fn fill(fleet: &Fleet, events: usize) {
    let Assembly { world, .. } = parts(fleet).await;
    let each = events / fleet.pipelines;
    for pipeline in 0..fleet.pipelines {
        let key = Key::pipeline(Fleet::repository(pipeline), format!("app-{pipeline}").parse().unwrap());
        let lease =
            world.store.claim_key(&key, Timestamp::now(), Duration::from_mins(1)).await.unwrap().unwrap();
        let known = world.store.entries(&key, 0, each).await.unwrap().len();
        let (_, fold) = world.store.fold(&key).await.unwrap().unwrap();
        let mut state: lockkeeper::promotion::State = serde_json::from_value(fold).unwrap();
        let release =
            state.stage(&STAGES[0].parse().unwrap()).unwrap().stints.live().unwrap().release.clone();
        let entry = Entry { at: Timestamp::now(), event: Event::Seen { release } };
        let entries = vec![entry; each - known];
        for entry in &entries {
            state.apply(entry).unwrap();
        }
        let view = world.store.view(&key).await.unwrap().unwrap();
        let fold = serde_json::to_value(&state).unwrap();
        world.store.record(lease, &entries, &[], Some(&fold), &view, None).await.unwrap();
    }
    world.store.close().await;
}

/// Starts the program, and waits until it is ready, and has looked at everything.
async fn starts(fleet: &Fleet, events: usize, table: &mut Table) {
    let server = Server::start(fleet);
    let ready = server.until("ready", || async { server.get("readyz").await.is_some() }).await;
    let looked = server.until_idle(fleet).await;
    let board = server.get("").await.unwrap();
    assert!(board.contains("app-1"), "the board shows the pipelines");
    let used = server.used();
    table.row([
        format!("{} × {}", fleet.pipelines, STAGES.len()),
        events.to_string(),
        millis(ready),
        millis(looked),
        millis(used.cpu),
        megabytes(used.peak_bytes),
    ]);
    server.stop();
}
