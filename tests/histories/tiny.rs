//! A world in memory for the pure engine: plan, apply, record, until nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lockkeeper::command::Target;
use lockkeeper::commit::CommitId;
use lockkeeper::image::{Digest, Image, Pinned, Release, Tag};
use lockkeeper::observation::{Health, Sighting};
use lockkeeper::pipeline::{Calendar, Picked, Pipeline, StageName, parse, parse_calendar};
use lockkeeper::plan::{
    Asked, Effect, Files, MergeNow, Open, Pick, Plan, PlanSettings, Presence, Running, Snapshot, Thread,
    Unread, hotfix_targets, known, plan,
};
use lockkeeper::promotion::{self, Entry, Event, State};
use lockkeeper::pull_request::{
    Authors, MergeMethod, Permission, Person, PullRequest, PullRequestState, Review, Standing,
    Verdict as Judgement,
};

use crate::faults::Fault;
use crate::oracle::{Commit, Pull, View, pin};
use crate::step::{self, Act, PEOPLE, Place, STAGES, Said, Verdict, digest};
use crate::{author, manifest, path, rules, watched_rules};

/// More rounds than any world needs to be still.
const ROUNDS_MAX: usize = 200;
/// The operations issue.
const ISSUE: u64 = 1;

static TIGHT: LazyLock<Pipeline> = LazyLock::new(|| pipeline(&rules(false)));
static LOOSE: LazyLock<Pipeline> = LazyLock::new(|| pipeline(&rules(true)));
static TIGHT_WATCHED: LazyLock<Pipeline> = LazyLock::new(|| pipeline(&watched_rules(false)));
static LOOSE_WATCHED: LazyLock<Pipeline> = LazyLock::new(|| pipeline(&watched_rules(true)));

fn pipeline(text: &str) -> Pipeline {
    parse(text.as_bytes()).unwrap().pipelines.remove(0)
}

/// The rules as they stand on a base.
#[derive(Clone)]
struct Rules {
    is_loose: bool,
    is_watched: bool,
    calendar: Calendar,
}

impl Rules {
    fn pipeline(&self) -> Pipeline {
        let rules: &Pipeline = match (self.is_loose, self.is_watched) {
            (true, true) => &LOOSE_WATCHED,
            (false, true) => &TIGHT_WATCHED,
            (true, false) => &LOOSE,
            (false, false) => &TIGHT,
        };
        Pipeline { freezes: self.calendar.clone(), ..rules.clone() }
    }
}

/// The process is stopped here.
struct Stopped;

pub struct Tiny {
    fault: Option<Fault>,
    now: Timestamp,
    state: State,
    files: BTreeMap<String, String>,
    rules: Rules,
    tip: CommitId,
    count: u64,
    /// The files and rules of each base that a pull request was made from.
    bases: BTreeMap<CommitId, (BTreeMap<String, String>, Rules)>,
    tags: BTreeMap<String, String>,
    there: BTreeSet<String>,
    is_away: bool,
    pulls: BTreeMap<u64, (PullRequest, Vec<(String, Vec<u8>, Vec<u8>)>)>,
    old_heads: BTreeMap<usize, CommitId>,
    asked: Vec<Asked>,
    untold: Vec<Asked>,
    last: Option<Asked>,
    /// What is reported, by stage.
    running: BTreeMap<StageName, Running>,
    /// Writes until the process stops.
    budget: Option<usize>,
    commits: Vec<Commit>,
    seen_pulls: u64,
}

fn id(text: &str) -> CommitId {
    Digest::of(text.as_bytes()).hex()[..40].parse().unwrap()
}

fn person(who: usize) -> Person {
    Person { id: PEOPLE[who].1, name: PEOPLE[who].0.to_owned(), bot: false }
}

fn me() -> Person {
    Person { id: 1, name: "lockkeeper".to_owned(), bot: true }
}

fn stage_name(stage: usize) -> StageName {
    STAGES[stage].parse().unwrap()
}

fn standings() -> BTreeMap<u64, Standing> {
    let teams = |name: &str| -> &[&str] {
        match name {
            "li" | "kim" => &["acme/sre"],
            "maria" => &["acme/owners", "acme/sre"],
            "sam" => &["acme/oncall"],
            _ => &[],
        }
    };
    let standing = |who: usize| {
        let name = PEOPLE[who].0;
        let permission = match name {
            "rob" => Permission::Read,
            "ana" => Permission::Admin,
            _ => Permission::Write,
        };
        let teams = teams(name).iter().map(|team| (*team).to_owned()).collect();
        (PEOPLE[who].1, Standing { person: person(who), permission, teams })
    };
    (0..PEOPLE.len()).map(standing).collect()
}

impl Tiny {
    pub fn new(first: &str, now: Timestamp, fault: Option<Fault>, is_watched: bool) -> Self {
        let files = (0..STAGES.len()).map(|stage| (path(stage), manifest(first, Some(first))));
        let mut tiny = Self {
            fault,
            now,
            state: State::default(),
            files: files.collect(),
            rules: Rules { is_loose: false, is_watched, calendar: Calendar::Known(Vec::new()) },
            tip: id("0"),
            count: ISSUE,
            bases: BTreeMap::new(),
            tags: BTreeMap::from([(first.to_owned(), first.to_owned())]),
            there: BTreeSet::from([first.to_owned()]),
            is_away: false,
            pulls: BTreeMap::new(),
            old_heads: BTreeMap::new(),
            asked: Vec::new(),
            untold: Vec::new(),
            last: None,
            running: BTreeMap::new(),
            budget: None,
            commits: Vec::new(),
            seen_pulls: 0,
        };
        tiny.settle().unwrap();
        tiny
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn view(&mut self) -> View {
        let since = std::mem::replace(&mut self.seen_pulls, self.count);
        let is_shown = |pull: &PullRequest| pull.state == PullRequestState::Open || pull.number > since;
        let pulls = self.pulls.values().filter(|(pull, _)| is_shown(pull)).map(|(pull, edits)| Pull {
            id: pull.branch.strip_prefix("lockkeeper/").unwrap().to_owned(),
            head: pull.head.to_string(),
            is_open: pull.state == PullRequestState::Open,
            file: String::from_utf8(edits[0].2.clone()).unwrap(),
        });
        let pulls = pulls.collect();
        self.pulls.retain(|_, (pull, _)| pull.state == PullRequestState::Open);
        View { now: self.now.as_second(), commits: std::mem::take(&mut self.commits), pulls }
    }

    pub fn act(&mut self, act: &Act) -> Result<(), String> {
        // No two things happen in one second: which came first could not be told.
        self.now += SignedDuration::from_secs(1);
        match act {
            Act::Push { tag, bytes } => {
                self.tags.insert(tag.clone(), bytes.clone());
                self.there.insert(bytes.clone());
            }
            Act::Remove { bytes } => {
                self.there.remove(bytes);
                self.tags.retain(|_, named| named != bytes);
            }
            Act::Registry { away } => self.is_away = *away,
            Act::Wait { minutes } => self.now += SignedDuration::from_mins(*minutes),
            Act::Clock { hours } => self.now += SignedDuration::from_hours(*hours),
            Act::Review { stage, who, verdict } => self.review(*stage, *who, *verdict),
            Act::Close { stage, who } => {
                let (at, by) = (self.now, person(*who));
                let pull = self.open_of(*stage);
                pull.state = PullRequestState::Closed { at, by };
                let head = pull.head;
                self.old_heads.insert(*stage, head);
            }
            Act::PushOn { stage } => {
                let head = self.open_of(*stage).head;
                self.open_of(*stage).head = id(&format!("on {head}"));
            }
            Act::Say { said, late } => {
                let asked = self.comment(said);
                if *late { self.untold.push(asked) } else { self.tell(vec![asked]) }
            }
            Act::Deliver { which } => {
                let asked = self.untold.remove(*which);
                self.tell(vec![asked]);
            }
            Act::DeliverAll => {
                let all = std::mem::take(&mut self.untold);
                self.tell(all);
            }
            Act::Again => self.tell(self.last.iter().cloned().collect()),
            Act::Pin { stage, tag, bytes } => self.persons(*stage, manifest(tag, Some(bytes))),
            Act::Unpin { stage, tag } => self.persons(*stage, manifest(tag, None)),
            Act::Edit { stage } => {
                let file = format!("{}# a word\n", self.files[&path(*stage)]);
                self.persons(*stage, file);
            }
            Act::Rules { loose } => {
                self.rules.is_loose = *loose;
                self.moved();
            }
            Act::Calendar(calendar) => {
                let reason = "it says nothing".to_owned();
                let file = "calendars/freezes.yaml".to_owned();
                self.rules.calendar = parse_calendar(calendar.text().as_bytes())
                    .map_or_else(|_| Calendar::Unusable { file, reason }, Calendar::Known);
                assert_eq!(
                    matches!(self.rules.calendar, Calendar::Unusable { .. }),
                    *calendar == step::Calendar::Broken,
                    "{}",
                    calendar.text()
                );
                self.moved();
            }
            Act::Observe { stage, digest, health, .. } => self.observe(*stage, digest, *health),
            Act::Stop { writes } => {
                self.budget = Some(*writes);
                return Ok(());
            }
        }
        self.settle()
    }

    fn observe(&mut self, stage: usize, bytes: &str, health: step::Health) {
        let (ready, health) = match health {
            step::Health::Good => (2, Health::Healthy),
            step::Health::Rolling => (1, Health::Progressing("1 of 2".to_owned())),
            step::Health::Bad => (0, Health::Degraded("crash loop".to_owned())),
        };
        let sighting = Sighting {
            at: self.now,
            source: "observer argo".to_owned(),
            digests: [digest(bytes)].into(),
            ready,
            wanted: 2,
            health,
            url: None,
        };
        self.running.entry(stage_name(stage)).or_default().new.push(sighting);
    }

    fn open_of(&mut self, stage: usize) -> &mut PullRequest {
        let name = stage_name(stage);
        let number = self.state.proposal(&name).and_then(|proposal| proposal.open.as_ref()).unwrap().0;
        &mut self.pulls.get_mut(&number).unwrap().0
    }

    fn review(&mut self, stage: usize, who: usize, verdict: Verdict) {
        self.count += 1;
        let (id, at, older) = (self.count, self.now, self.old_heads.get(&stage).copied());
        let pull = self.open_of(stage);
        let (verdict, head) = match verdict {
            Verdict::Approve => (Judgement::Approved, pull.head),
            Verdict::Changes => (Judgement::ChangesRequested, pull.head),
            Verdict::Dismiss => (Judgement::Dismissed, pull.head),
            Verdict::ApproveOlder => (Judgement::Approved, older.unwrap_or(pull.head)),
        };
        pull.reviews.push(Review { id, person: person(who), verdict, head, at });
    }

    fn comment(&mut self, said: &Said) -> Asked {
        self.count += 1;
        let number = match said.place {
            Place::Operations => ISSUE,
            Place::Pull(stage) => self.open_of(usize::from(stage)).number,
        };
        Asked {
            key: format!("comment:{}", self.count),
            body: said.text(),
            person: person(said.who),
            at: self.now,
            thread: Thread::Forge { number, comment: self.count },
            stage: None,
            edited: false,
        }
    }

    fn tell(&mut self, mut asked: Vec<Asked>) {
        asked.sort_by_key(|asked| asked.at);
        self.last = asked.last().cloned().or(self.last.take());
        self.asked = asked;
    }

    fn moved(&mut self) {
        self.count += 1;
        self.tip = id(&self.count.to_string());
    }

    fn persons(&mut self, stage: usize, file: String) {
        self.commit("a person's commit\n", vec![(path(stage), file)]);
    }

    fn commit(&mut self, message: &str, files: Vec<(String, String)>) {
        self.count += 1;
        self.tip = id(&self.count.to_string());
        let changed = files.into_iter().filter_map(|(path, after)| {
            let before = self.files.insert(path.clone(), after.clone()).unwrap_or_default();
            (before != after).then_some((path, before, after))
        });
        let changed = changed.collect();
        self.commits.push(Commit { message: message.to_owned(), changed });
    }

    /// Works until there is nothing to do, also where it is stopped in between.
    fn settle(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            let (snapshot, found) = self.plan();
            if found.effects.is_empty() {
                self.asked.clear();
                self.budget = None;
                for running in self.running.values_mut() {
                    running.last = running.new.pop().or(running.last.take());
                    running.new.clear();
                }
                return Ok(());
            }
            for effect in &found.effects {
                match self.apply(effect, &snapshot) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(Stopped) => {
                        self.budget = None;
                        break;
                    }
                }
            }
        }
        Err(format!("the world is not still after {ROUNDS_MAX} rounds: {:?}", self.plan().1.effects))
    }

    /// What the engine makes of the world; with a fault, where one is planted.
    fn plan(&self) -> (Snapshot, Plan) {
        let mut snapshot = self.snapshot();
        if let Some(fault) = self.fault {
            fault.blind(&mut snapshot);
        }
        let mut found = plan(&snapshot);
        if let Some(fault) = self.fault {
            fault.spoil(&mut found);
        }
        (snapshot, found)
    }

    /// A write that lasts was made.
    fn wrote(&mut self) -> Result<(), Stopped> {
        match &mut self.budget {
            Some(0) => Err(Stopped),
            Some(left) => {
                *left -= 1;
                if *left == 0 { Err(Stopped) } else { Ok(()) }
            }
            None => Ok(()),
        }
    }

    fn record(&mut self, entries: &[Entry]) -> Result<(), Stopped> {
        for entry in entries {
            self.state.apply(entry).unwrap();
        }
        self.wrote()
    }

    fn event(&mut self, event: Event) -> Result<(), Stopped> {
        self.record(&[Entry { at: self.now, event }])
    }

    /// Carries out one effect; whether the next may follow.
    fn apply(&mut self, effect: &Effect, snapshot: &Snapshot) -> Result<bool, Stopped> {
        match effect {
            Effect::Record(entries) => self.record(entries)?,
            Effect::Open(new) => self.open(new)?,
            Effect::Close(which) => {
                let (stage, number, why) = (which.stage.clone(), which.number, which.why.clone());
                self.remember_head(&stage, which.number);
                let text = which.comment.clone();
                self.event(Event::Closing { stage: stage.clone(), number, text, why: why.clone() })?;
                let at = self.now;
                self.pulls.get_mut(&number).unwrap().0.state = PullRequestState::Closed { at, by: me() };
                self.wrote()?;
                self.event(Event::Closed { stage, number, why })?;
                return Ok(false);
            }
            Effect::Merge(which) => {
                if self.plan().1.effects.contains(effect) {
                    self.merge(which)?;
                }
                return Ok(false);
            }
            Effect::Edit { number, title, body } => {
                let pull = &mut self.pulls.get_mut(number).unwrap().0;
                pull.title.clone_from(title);
                pull.body.clone_from(body);
            }
            Effect::Check { head, check } => {
                let is_it = |pull: &&mut (PullRequest, _)| pull.0.head == *head;
                if let Some((pull, _)) = self.pulls.values_mut().find(is_it) {
                    pull.checks = vec![check.clone()];
                }
            }
            Effect::Issue { .. } => self.event(Event::IssueOpened { number: ISSUE })?,
            Effect::Comment { .. } | Effect::React { .. } | Effect::Deploy { .. } => {}
            Effect::Tag(_) | Effect::Untag { .. } => panic!("no tag is to be set: {:?}", snapshot.base),
        }
        Ok(true)
    }

    fn open(&mut self, new: &Open) -> Result<(), Stopped> {
        let begun = self.state.proposal(&new.stage).map(|proposal| proposal.base.clone());
        if begun != Some(new.base.to_string()) {
            self.event(new.intent.clone())?;
        }
        let known = self.pulls.values().find(|(pull, _)| pull.branch == new.branch);
        let (number, head) = match known {
            Some((pull, _)) => (pull.number, pull.head),
            None => {
                self.count += 1;
                let (number, head) = (self.count, id(&format!("{} on {}", new.branch, new.base)));
                self.bases.insert(new.base, (self.files.clone(), self.rules.clone()));
                let pull = self.pull_request(new, number, head);
                self.pulls.insert(number, (pull, new.edits.clone()));
                self.wrote()?;
                (number, head)
            }
        };
        let (stage, head) = (new.stage.clone(), head.to_string());
        self.event(Event::Proposed { stage, number, head, waits_for: None })
    }

    fn pull_request(&self, new: &Open, number: u64, head: CommitId) -> PullRequest {
        PullRequest {
            number,
            author: me(),
            title: new.title.clone(),
            body: new.body.clone(),
            branch: new.branch.clone(),
            base: "main".to_owned(),
            head,
            state: PullRequestState::Open,
            mergeable: Some(true),
            obstacle: None,
            reviews: Vec::new(),
            checks: Vec::new(),
            opened_at: self.now,
            url: String::new(),
        }
    }

    fn remember_head(&mut self, stage: &StageName, number: u64) {
        let stage = STAGES.iter().position(|name| *name == stage.as_str()).unwrap();
        if let Some((pull, _)) = self.pulls.get(&number) {
            self.old_heads.insert(stage, pull.head);
        }
    }

    fn merge(&mut self, which: &MergeNow) -> Result<(), Stopped> {
        let (stage, number) = (which.stage.clone(), which.number);
        let (approvals, signatures) = (which.approvals.clone(), which.signatures.clone());
        let exceptions = which.exceptions.clone();
        self.event(Event::Merging { stage, number, approvals, signatures, exceptions })?;
        self.remember_head(&which.stage, number);
        let (pull, edits) = &self.pulls[&number];
        assert_eq!(pull.head, which.head);
        let merged = edits.iter().map(|(path, before, after)| {
            let (now, before) = (self.files[path].clone(), String::from_utf8(before.clone()).unwrap());
            let after = String::from_utf8(after.clone()).unwrap();
            (path.clone(), three_way(&now, &before, &after).expect("only what merges is merged"))
        });
        let merged = merged.collect();
        self.commit(&which.message, merged);
        let (commit, at) = (self.tip, self.now);
        self.pulls.get_mut(&number).unwrap().0.state = PullRequestState::Merged { commit, at, by: me() };
        self.wrote()?;
        self.record(&which.merged(commit, at))
    }

    fn snapshot(&self) -> Snapshot {
        let pipeline = self.rules.pipeline();
        let mut pull_requests = BTreeMap::new();
        let (mut rules_at_open, mut files_at_open) = (BTreeMap::new(), BTreeMap::new());
        let mut authors = BTreeMap::new();
        for (name, stage) in &self.state.stages {
            let Some(proposal) = &stage.proposal else { continue };
            if let Some(version) = proposal.release.images().find_map(|(_, pinned)| pinned.tag.clone()) {
                authors.insert(name.clone(), Authors::Known(vec![person(author(version.as_str()))]));
            }
            let base: CommitId = proposal.base.parse().unwrap();
            if let Some((files, rules)) = self.bases.get(&base).filter(|_| base != self.tip) {
                rules_at_open.insert(name.clone(), rules.pipeline());
                files_at_open.insert(name.clone(), bytes(files));
            }
            if let Some((number, _)) = &proposal.open {
                let (pull, edits) = &self.pulls[number];
                let mut pull = pull.clone();
                pull.mergeable = Some(edits.iter().all(|(path, before, after)| {
                    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
                    three_way(&self.files[path], &text(before), &text(after)).is_some()
                }));
                pull_requests.insert(*number, pull);
            }
        }
        let picks = vec![self.pick(&pipeline)];
        let settings = PlanSettings {
            command_age_max: Duration::from_mins(15),
            merge_method: MergeMethod::Merge,
            url_prefix: String::new(),
            source_links: Vec::new(),
            has_deployments: false,
            probes_count_for: Duration::from_mins(30),
        };
        let mut snapshot = Snapshot {
            repository: "env".to_owned(),
            base_branch: "main".to_owned(),
            files: bytes(&self.files),
            picks,
            images: self.images(),
            pull_requests,
            asked: self.asked.clone(),
            standings: standings(),
            authors,
            rules_at_open,
            files_at_open,
            presence: self.presence(),
            running: self.running.clone(),
            ..Snapshot::unread(self.now, self.tip, pipeline, self.state.clone(), me(), settings)
        };
        for target in hotfix_targets(&snapshot) {
            let found = self.named(&snapshot, &target).map_err(Unread::Absent);
            snapshot.hotfixes.insert(target, found);
        }
        snapshot
    }

    /// What a person means who wants a hotfix: by its tag, by what is known, or by a whole digest.
    fn named(&self, snapshot: &Snapshot, target: &Target) -> Result<Release, String> {
        let (Target::Version(text) | Target::Digest(text)) = target;
        if self.is_away {
            return Err("the registry is away".to_owned());
        }
        let release = |tag: Option<Tag>, digest: Digest| {
            let repository = snapshot.pipeline.images[0].repository.clone();
            [(repository, Pinned { tag, digest })].into_iter().collect::<Release>()
        };
        if let Some(bytes) = self.tags.get(text) {
            return Ok(release(Some(text.parse().unwrap()), digest(bytes)));
        }
        let there: BTreeSet<Digest> = self.there.iter().map(|name| digest(name)).collect();
        let is_there = |release: &Release| release.digests().iter().all(|digest| there.contains(digest));
        let mut known = known(snapshot).filter(|release| promotion::names(target, release));
        if let Some(known) = known.next() {
            return if is_there(known) { Ok(known.clone()) } else { Err("it is gone".to_owned()) };
        }
        let whole = format!("sha256:{text}").parse::<Digest>().ok().map(|digest| release(None, digest));
        whole.filter(is_there).ok_or_else(|| "there is none".to_owned())
    }

    fn pick(&self, pipeline: &Pipeline) -> Pick {
        if self.is_away {
            return Pick::Failed("the registry is away".to_owned());
        }
        let tags: Vec<Tag> = self.tags.keys().map(|tag| tag.parse().unwrap()).collect();
        match pipeline.images[0].follow.pick(&tags) {
            Picked::Tags(found) => {
                let tag = found[0].clone();
                let digest = digest(&self.tags[tag.as_str()]);
                Pick::Found { tag, digest }
            }
            Picked::Nothing => Pick::Nothing,
            other => panic!("{other:?}"),
        }
    }

    fn images(&self) -> BTreeMap<Digest, Result<Image, Unread>> {
        let image = |name: &String| {
            let digest = digest(name);
            let image = Image {
                digest,
                media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
                platforms: vec!["linux/amd64".parse().unwrap()],
                labels: BTreeMap::new(),
                created: None,
                parts: Vec::new(),
                missing: Vec::new(),
            };
            (digest, Ok(image))
        };
        self.there.iter().map(image).collect()
    }

    fn presence(&self) -> BTreeMap<(lockkeeper::image::Repository, Digest), Presence> {
        let there: BTreeSet<Digest> = self.there.iter().map(|name| digest(name)).collect();
        let stints = self.state.stages.values().flat_map(|stage| stage.stints.newest_first());
        let found = stints.flat_map(|stint| stint.release.images()).map(|(repository, pinned)| {
            let presence = if self.is_away {
                Presence::Unknown("the registry is away".to_owned())
            } else if there.contains(&pinned.digest) {
                Presence::Present(1)
            } else {
                Presence::Absent("it is not there".to_owned())
            };
            ((repository.clone(), pinned.digest), presence)
        });
        found.collect()
    }
}

fn bytes(files: &BTreeMap<String, String>) -> Files {
    files.iter().map(|(path, text)| (path.clone(), Ok(Some(text.clone().into_bytes())))).collect()
}

/// What git makes of it: line by line, where the lines that changed are not the same ones.
fn three_way(now: &str, before: &str, after: &str) -> Option<String> {
    if now == before {
        return Some(after.to_owned());
    }
    if pin(now) != pin(before) || reference(now) != reference(before) {
        return (pin(now) == pin(after)).then(|| now.to_owned());
    }
    Some(now.replacen(reference(before), reference(after), 1))
}

fn reference(file: &str) -> &str {
    file.split("image: ").nth(1).and_then(|rest| rest.split([' ', '\n']).next()).unwrap_or_default()
}
