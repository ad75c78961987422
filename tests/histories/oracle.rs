//! The law of promotion once more, as simple as it can be said, by what the outside sees: the base, the pull requests,
//! and what people did. It knows nothing of our state or plan, and asks for nothing to happen: it says what must not.

use std::collections::{BTreeMap, BTreeSet};

use crate::step::{Act, PEOPLE, Place, STAGES, Said, Verb, Verdict};

/// A commit on the base.
#[derive(Debug, Clone)]
pub struct Commit {
    pub message: String,
    /// The files that it changed, before and after.
    pub changed: Vec<(String, String, String)>,
}

/// A pull request of ours.
#[derive(Debug, Clone)]
pub struct Pull {
    /// The branch without `lockkeeper/`: lane, stage and the rest.
    pub id: String,
    pub head: String,
    pub is_open: bool,
    /// The file of the stage as the branch has it.
    pub file: String,
}

/// What there is to see.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// In seconds.
    pub now: i64,
    /// Since the last look, oldest first.
    pub commits: Vec<Commit>,
    /// Those that are open, and those opened since the last look.
    pub pulls: Vec<Pull>,
}

/// The table of the stages: what they come after, how long that has to have been live there, who has to approve.
struct Stage {
    after: &'static [usize],
    soak: i64,
    /// Fewest approvals, with the rules tight and loose; none: nobody is asked.
    approvals: Option<(usize, usize)>,
    /// Whether only those on call roll back.
    on_call: bool,
}

const TABLE: [Stage; 4] = [
    Stage { after: &[], soak: 0, approvals: None, on_call: false },
    Stage { after: &[0], soak: 30 * 60, approvals: None, on_call: false },
    Stage { after: &[1], soak: 60 * 60, approvals: Some((1, 1)), on_call: true },
    Stage { after: &[1, 2], soak: 10 * 60, approvals: Some((2, 1)), on_call: true },
];

/// How a release came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    Normal,
    Rollback,
    Person,
}

#[derive(Debug, Clone)]
struct Life {
    tag: String,
    digest: String,
    by: By,
    from: i64,
    to: Option<(i64, By)>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    /// Whether a person's `/hold` put it.
    by_word: bool,
    until: Option<i64>,
    said: usize,
}

#[derive(Debug, Clone)]
struct Veto {
    stage: usize,
    digest: String,
    version: String,
    said: usize,
}

#[derive(Debug, Clone)]
struct Order {
    said: usize,
    to: Option<String>,
    has_begun: bool,
}

#[derive(Debug, Clone)]
struct Review {
    who: usize,
    verdict: Verdict,
    head: String,
    said: usize,
}

#[derive(Debug, Clone)]
struct Proposal {
    id: String,
    head: String,
    head_now: String,
    digest: String,
    tag: String,
    requester: Option<usize>,
    reviews: Vec<Review>,
    opened_loose: bool,
}

#[derive(Debug, Default)]
struct Seen {
    lives: Vec<Life>,
    holds: Vec<Hold>,
    /// By digest, and when.
    refused: BTreeMap<String, usize>,
    /// A rollback that somebody who may asked for.
    order: Option<Order>,
    /// What an owner asked for by name.
    named: BTreeSet<String>,
    open: Option<Proposal>,
    void_until: usize,
    last_heads: Vec<String>,
}

/// Who wrote what is behind a version, where the rules ask for independent approvals.
pub type Author = fn(&str) -> usize;

pub struct Oracle {
    stages: [Seen; 4],
    vetoes: Vec<Veto>,
    /// Comments that nobody told of yet, with their time.
    pub untold: Vec<(usize, Said, i64)>,
    /// The bytes that each tag ever stood for.
    pushed: BTreeSet<(String, String)>,
    removed: BTreeSet<String>,
    is_away: bool,
    is_loose: bool,
    /// Counts what happens: what is later has more.
    said: usize,
    /// Who promoted which stages in this act.
    promoters: Vec<(usize, usize)>,
    ended: BTreeSet<String>,
    author: Option<Author>,
    pub opened: usize,
    pub merged: [usize; 2],
}

type Checked = Result<(), String>;

fn may_write(who: usize) -> bool {
    PEOPLE[who].0 != "rob"
}

fn is_sre(who: usize) -> bool {
    ["li", "kim", "maria"].contains(&PEOPLE[who].0)
}

fn is_owner(who: usize) -> bool {
    PEOPLE[who].0 == "maria"
}

fn may_roll_back(who: usize, stage: usize) -> bool {
    if TABLE[stage].on_call { PEOPLE[who].0 == "sam" } else { may_write(who) }
}

fn may_veto(who: usize, stage: usize) -> bool {
    is_owner(who) || TABLE[stage].approvals.is_some() && is_sre(who)
}

fn stages_of(word: u8) -> Vec<usize> {
    if word < 4 { vec![usize::from(word)] } else { vec![2, 3] }
}

/// The stage and all that come after it.
fn downstream(stage: usize) -> Vec<usize> {
    (stage..4).collect()
}

/// Tag and digest of the one pin in a file; nothing where it has no digest.
pub fn pin(file: &str) -> Option<(String, String)> {
    let reference = file.split("image: ").nth(1)?.split_whitespace().next()?;
    let (name, digest) = reference.split_once("@sha256:")?;
    Some((name.rsplit(':').next()?.to_owned(), digest.to_owned()))
}

/// The order of versions: `1.3.0-rc.1` is before `1.3.0`.
fn order(tag: &str) -> (u32, bool) {
    let (version, pre) = tag.split_once('-').map_or((tag, false), |(version, _)| (version, true));
    (version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0), !pre)
}

fn trailer<'a>(message: &'a str, key: &str) -> Vec<&'a str> {
    let wanted = format!("Lockkeeper-{key}: ");
    message.lines().filter_map(|line| line.strip_prefix(wanted.as_str())).collect()
}

impl Oracle {
    pub fn new(first: &str, digest: &str, now: i64, author: Option<Author>) -> Self {
        let adopted = || Seen {
            lives: vec![Life {
                tag: first.to_owned(),
                digest: digest.to_owned(),
                by: By::Nobody,
                from: now,
                to: None,
            }],
            ..Seen::default()
        };
        Self {
            stages: [adopted(), adopted(), adopted(), adopted()],
            vetoes: Vec::new(),
            untold: Vec::new(),
            pushed: BTreeSet::from([(first.to_owned(), digest.to_owned())]),
            removed: BTreeSet::new(),
            is_away: false,
            is_loose: false,
            said: 0,
            promoters: Vec::new(),
            ended: BTreeSet::new(),
            author,
            opened: 0,
            merged: [0; 2],
        }
    }

    pub fn is_open(&self, stage: usize) -> bool {
        self.stages[stage].open.is_some()
    }

    pub fn has_older_head(&self, stage: usize) -> bool {
        !self.stages[stage].last_heads.is_empty()
    }

    pub fn is_loose(&self) -> bool {
        self.is_loose
    }

    /// What the stage pins, as tag.
    pub fn live_tag(&self, stage: usize) -> Option<&str> {
        self.live(stage).map(|life| life.tag.as_str())
    }

    /// What it pinned before.
    pub fn before(&self, stage: usize) -> Option<(String, String)> {
        let lives = &self.stages[stage].lives;
        let life = lives.iter().rev().nth(usize::from(self.live(stage).is_some()))?;
        Some((life.tag.clone(), life.digest.clone()))
    }

    fn live(&self, stage: usize) -> Option<&Life> {
        self.stages[stage].lives.last().filter(|life| life.to.is_none())
    }

    /// Somebody does something, at this time.
    pub fn act(&mut self, act: &Act, digest_of: impl Fn(&str) -> String, now: i64) {
        self.said += 1;
        self.promoters.clear();
        match act {
            Act::Push { tag, bytes } => {
                self.removed.remove(&digest_of(bytes));
                self.pushed.insert((tag.clone(), digest_of(bytes)));
            }
            Act::Remove { bytes } => {
                self.removed.insert(digest_of(bytes));
            }
            Act::Registry { away } => self.is_away = *away,
            Act::Review { stage, who, verdict } => self.review(*stage, *who, *verdict),
            Act::Close { stage, .. } => {
                let (said, seen) = (self.said, &mut self.stages[*stage]);
                if let Some(open) = seen.open.take() {
                    seen.refused.insert(open.digest, said);
                    seen.order = None;
                    seen.last_heads.push(open.head);
                    self.ended.insert(open.id);
                }
            }
            Act::Say { said, late: true } => self.untold.push((self.said, said.clone(), now)),
            Act::Say { said, late: false } => self.obey(self.said, said, now, now),
            Act::Deliver { which } => {
                let (order, said, at) = self.untold.remove(*which);
                self.obey(order, &said, at, now);
            }
            Act::DeliverAll => {
                for (order, said, at) in std::mem::take(&mut self.untold) {
                    self.obey(order, &said, at, now);
                }
            }
            Act::Rules { loose } => {
                let us = &mut self.stages[3];
                if *loose && !self.is_loose && us.open.as_ref().is_some_and(|open| !open.opened_loose) {
                    us.void_until = self.said;
                }
                self.is_loose = *loose;
            }
            Act::Wait { .. }
            | Act::Clock { .. }
            | Act::PushOn { .. }
            | Act::Again
            | Act::Pin { .. }
            | Act::Unpin { .. }
            | Act::Edit { .. }
            | Act::Stop { .. } => {}
        }
    }

    fn review(&mut self, stage: usize, who: usize, verdict: Verdict) {
        let said = self.said;
        let older = self.stages[stage].last_heads.last().cloned();
        let Some(open) = &mut self.stages[stage].open else { return };
        let (verdict, head) = match (verdict, older) {
            (Verdict::ApproveOlder, Some(older)) => (Verdict::Approve, older),
            (verdict, _) => (verdict, open.head_now.clone()),
        };
        open.reviews.push(Review { who, verdict, head, said });
    }

    /// What a command may do at most, if it is carried out.
    fn obey(&mut self, said: usize, what: &Said, at: i64, now: i64) {
        let who = what.who;
        // Holds and vetoes do not expire; what lifts or moves something does.
        let is_fresh = now - at <= 15 * 60;
        match what.verb {
            Verb::Hold(word, until) if may_write(who) => {
                let until = until.map(|minutes| at + i64::from(minutes) * 60);
                for stage in stages_of(word) {
                    let holds = &mut self.stages[stage].holds;
                    if holds.iter().any(|hold| hold.by_word && hold.said > said) {
                        continue;
                    }
                    holds.retain(|hold| !hold.by_word);
                    holds.push(Hold { by_word: true, until, said });
                }
            }
            Verb::Resume(word) if may_write(who) && is_fresh => {
                for stage in stages_of(word) {
                    self.stages[stage].holds.retain(|hold| hold.said > said);
                }
            }
            Verb::Veto(_) => self.veto(said, what),
            Verb::Unveto(_) if is_fresh => self.unveto(said, what),
            Verb::Rollback(word, _) if is_fresh => {
                for stage in stages_of(word).into_iter().filter(|stage| may_roll_back(who, *stage)) {
                    let to = what.target.clone();
                    self.stages[stage].order = Some(Order { said, to, has_begun: false });
                }
            }
            Verb::Promote(word, _) if is_fresh && is_owner(who) => {
                for stage in stages_of(word) {
                    self.promoters.push((stage, who));
                    let seen = &mut self.stages[stage];
                    seen.named.extend(what.target.clone());
                    seen.refused.retain(|_, refused| *refused > said);
                }
            }
            Verb::Hold(..)
            | Verb::Resume(_)
            | Verb::Unveto(_)
            | Verb::Rollback(..)
            | Verb::Promote(..)
            | Verb::Retry => {}
        }
    }

    fn veto(&mut self, said: usize, what: &Said) {
        let stage = match what.place {
            Place::Operations => (0..4).find(|stage| may_veto(what.who, *stage)),
            Place::Pull(stage) => Some(usize::from(stage)).filter(|stage| may_veto(what.who, *stage)),
        };
        let Some(stage) = stage else { return };
        let digests: BTreeSet<String> = match (&what.target, what.place) {
            (Some(version), _) => {
                let lives = self.stages.iter().flat_map(|seen| &seen.lives);
                lives.filter(|life| &life.tag == version).map(|life| life.digest.clone()).collect()
            }
            (None, Place::Pull(pull)) => {
                let open = &self.stages[usize::from(pull)].open;
                open.iter().map(|open| open.digest.clone()).collect()
            }
            (None, Place::Operations) => BTreeSet::new(),
        };
        for digest in digests {
            let version = what.target.clone().unwrap_or_default();
            self.vetoes.push(Veto { stage, digest, version, said });
        }
    }

    /// The vetoes of a version go, with all others on its digests: those that the person may take back, and that were
    /// there when it was written.
    fn unveto(&mut self, said: usize, what: &Said) {
        let Some(version) = &what.target else { return };
        let tagged = |veto: &Veto| {
            let is_tag = |tag: &str| self.pushed.contains(&(tag.to_owned(), veto.digest.clone()));
            &veto.version == version || is_tag(version) || veto.digest.starts_with(version.as_str())
        };
        let digests: BTreeSet<String> =
            self.vetoes.iter().filter(|veto| tagged(veto)).map(|veto| veto.digest.clone()).collect();
        self.vetoes.retain(|veto| {
            !digests.contains(&veto.digest) || veto.said > said || !may_veto(what.who, veto.stage)
        });
    }

    fn is_held(&self, stage: usize, now: i64) -> bool {
        self.stages[stage].holds.iter().any(|hold| hold.until.is_none_or(|until| until > now))
    }

    fn is_vetoed(&self, stage: usize, digest: &str) -> bool {
        self.vetoes.iter().any(|veto| veto.digest == digest && downstream(veto.stage).contains(&stage))
    }

    /// Whether a digest was live in all stages before this one for long enough, by a promotion, and was not rolled back
    /// there since.
    fn has_passed(&self, stage: usize, digest: &str, now: i64) -> bool {
        TABLE[stage].after.iter().all(|upstream| {
            let lives = self.stages[*upstream].lives.iter().filter(|life| life.digest == digest);
            let lives: Vec<&Life> = lives.collect();
            let since = lives.iter().rposition(|life| matches!(life.to, Some((_, By::Rollback))));
            let long = |life: &&&Life| {
                let to = life.to.map_or(now, |(to, _)| to);
                matches!(life.by, By::Normal | By::Rollback) && to - life.from >= TABLE[stage].soak
            };
            lives.iter().any(|life| life.by == By::Normal)
                && lives.iter().skip(since.map_or(0, |since| since + 1)).any(|life| long(&life))
        })
    }

    /// What may neither be opened nor merged by the normal lane.
    fn normal(&self, stage: usize, tag: &str, digest: &str, now: i64) -> Checked {
        let name = STAGES[stage];
        let what = format!("{tag} ({}) in {name}", &digest[..12]);
        if self.is_held(stage, now) {
            return Err(format!("{what}, which is held"));
        }
        if self.is_vetoed(stage, digest) {
            return Err(format!("{what}, where it is vetoed"));
        }
        if self.stages[stage].refused.contains_key(digest) {
            return Err(format!("{what}, where a person refused it"));
        }
        if !self.has_passed(stage, digest, now) {
            return Err(format!("{what}, but it has not passed upstream"));
        }
        if stage == 0 && !self.pushed.contains(&(tag.to_owned(), digest.to_owned())) {
            return Err(format!("{what}, but the registry never had that"));
        }
        let Some(live) = self.live(stage) else { return Ok(()) };
        let is_by_name = self.stages[stage].named.iter().any(|named| digest.starts_with(named.as_str()));
        let (new, old) = (order(tag), order(&live.tag));
        if new > old || new == old && is_by_name && digest != live.digest {
            Ok(())
        } else {
            Err(format!("{what}, which has {} already: that is backwards", live.tag))
        }
    }

    /// What a look finds. The error says what should not be.
    pub fn look(&mut self, view: &View) -> Checked {
        self.rolled_back(view)?;
        let opened: Vec<&Pull> = view.pulls.iter().filter(|pull| self.pull(&pull.id).is_none()).collect();
        let merged: BTreeSet<String> = view
            .commits
            .iter()
            .flat_map(|commit| trailer(&commit.message, "Promotion"))
            .map(str::to_owned)
            .collect();
        self.still_open(view, &merged);
        for commit in &view.commits {
            match trailer(&commit.message, "Promotion").first().copied() {
                Some(id) => {
                    let pull = opened.iter().find(|pull| pull.id == id).copied();
                    self.ours(commit, id, pull, view.now)?;
                }
                None => self.persons(commit, view.now),
            }
        }
        for pull in opened {
            if pull.is_open {
                self.open(pull, view.now)?;
            } else if !merged.contains(&pull.id) {
                self.ended.insert(pull.id.clone());
            }
        }
        Ok(())
    }

    fn pull(&self, id: &str) -> Option<&Proposal> {
        self.stages.iter().filter_map(|seen| seen.open.as_ref()).find(|open| open.id == id)
    }

    /// A rollback that began: it holds the stage, and what was there is vetoed from there on.
    fn rolled_back(&mut self, view: &View) -> Checked {
        let pulls = view.pulls.iter().map(|pull| pull.id.as_str());
        let commits = view.commits.iter().flat_map(|commit| trailer(&commit.message, "Promotion"));
        let ids: BTreeSet<String> = pulls.chain(commits).map(str::to_owned).collect();
        for id in ids.into_iter().filter(|id| id.starts_with("rollback/")) {
            if self.pull(&id).is_some() {
                continue;
            }
            let stage = stage_of(&id)?;
            let live = self.live(stage).cloned();
            let seen = &mut self.stages[stage];
            let Some(order) = &mut seen.order else {
                return Err(format!("{id}: nobody asked for that rollback"));
            };
            if std::mem::replace(&mut order.has_begun, true) {
                continue;
            }
            let said = order.said;
            seen.holds.push(Hold { by_word: false, until: None, said });
            if let Some(Life { digest, tag: version, .. }) = live {
                self.vetoes.push(Veto { stage, digest, version, said });
            }
        }
        Ok(())
    }

    fn open(&mut self, pull: &Pull, now: i64) -> Checked {
        self.opened += 1;
        let stage = stage_of(&pull.id)?;
        let (tag, digest) = pin(&pull.file).ok_or_else(|| format!("{} pins nothing", pull.id))?;
        if pull.id.starts_with("normal/") {
            self.normal(stage, &tag, &digest, now).map_err(|error| format!("opened {error}"))?;
        }
        if let Some(open) = &self.stages[stage].open {
            return Err(format!("{} is open beside {}", pull.id, open.id));
        }
        let requester = self.promoters.iter().find(|(of, _)| *of == stage).map(|(_, who)| *who);
        self.stages[stage].open = Some(Proposal {
            id: pull.id.clone(),
            head: pull.head.clone(),
            head_now: pull.head.clone(),
            digest,
            tag,
            requester,
            reviews: Vec::new(),
            opened_loose: self.is_loose,
        });
        Ok(())
    }

    fn still_open(&mut self, view: &View, merged: &BTreeSet<String>) {
        for seen in &mut self.stages {
            let Some(open) = seen.open.as_mut().filter(|open| !merged.contains(&open.id)) else { continue };
            match view.pulls.iter().find(|pull| pull.id == open.id && pull.is_open) {
                Some(pull) => open.head_now.clone_from(&pull.head),
                None => {
                    let ended = seen.open.take().map(|open| (open.id, open.head));
                    let Some((id, head)) = ended else { continue };
                    seen.last_heads.push(head);
                    self.ended.insert(id);
                }
            }
        }
    }

    /// A commit of ours: one file, and in it the pin alone, by the lane that its trailers name.
    fn ours(&mut self, commit: &Commit, id: &str, opened: Option<&Pull>, now: i64) -> Checked {
        let stage = stage_of(id)?;
        if self.ended.contains(id) {
            return Err(format!("{id} was merged after it ended"));
        }
        let path = format!("env/{}/web.yaml", STAGES[stage]);
        let [(changed, before, after)] = commit.changed.as_slice() else {
            return Err(format!("{id} changes {} files", commit.changed.len()));
        };
        let (tag, digest) = pin(after).ok_or_else(|| format!("{id} leaves no pin"))?;
        if *changed != path || blank(before) != blank(after) {
            return Err(format!("{id} changes more than the pin of {path}:\n{before}\n{after}"));
        }
        let lane = trailer(&commit.message, "Lane").first().copied().unwrap_or_default().to_owned();
        if lane == "rollback" {
            self.rollback(stage, id, &tag, &digest)?;
            self.merged[1] += 1;
        } else {
            self.normal(stage, &tag, &digest, now).map_err(|error| format!("merged {error}"))?;
            if self.pull(id).is_none() {
                let requester = trailer(&commit.message, "Requested-By");
                self.requested(stage, requester.first().copied(), opened)?;
            }
            self.approved(stage, id, &digest, commit)?;
            self.merged[0] += 1;
        }
        let by = if lane == "rollback" { By::Rollback } else { By::Normal };
        self.stages[stage].open = None;
        self.ended.insert(id.to_owned());
        self.came(stage, Some((tag, digest)), by, now);
        Ok(())
    }

    /// Opened and merged at once: only where nobody has to approve.
    fn requested(&self, stage: usize, by: Option<&str>, opened: Option<&Pull>) -> Checked {
        let wanted = self.promoters.iter().find(|(of, _)| *of == stage).map(|(_, who)| PEOPLE[*who].0);
        let found = by.and_then(|by| by.split(' ').next());
        match (wanted, found) {
            (None, Some(found)) if opened.is_some() && found != "maria" => {
                Err(format!("{found} is said to have asked, who may not"))
            }
            _ => Ok(()),
        }
    }

    fn rollback(&mut self, stage: usize, id: &str, tag: &str, digest: &str) -> Checked {
        if self.is_vetoed(stage, digest) {
            return Err(format!("{id}: {tag} is vetoed there"));
        }
        if !self.stages[stage].lives.iter().any(|life| life.digest == digest) {
            return Err(format!("{id}: {tag} never was there"));
        }
        if self.removed.contains(digest) && !self.is_away {
            return Err(format!("{id}: the registry says that {tag} is not there"));
        }
        match self.stages[stage].order.take() {
            Some(Order { to: Some(to), .. }) if to != tag && !digest.starts_with(&to) => {
                Err(format!("{id} goes to {tag}, and {to} was asked for"))
            }
            Some(_) => Ok(()),
            None => Err(format!("{id}: nobody asked for that rollback")),
        }
    }

    /// The approvals: enough, each by one who may, for this head and no other, and none by who asked or wrote it.
    fn approved(&self, stage: usize, id: &str, digest: &str, commit: &Commit) -> Checked {
        let Some((tight, loose)) = TABLE[stage].approvals else { return Ok(()) };
        let min = if self.is_loose { loose } else { tight };
        let Some(open) = self.pull(id) else { return Err(format!("{id} was merged at once")) };
        if open.head != open.head_now || open.digest != digest {
            return Err(format!("{id} was merged with a head that is not what was opened"));
        }
        let latest: BTreeMap<usize, &Review> =
            open.reviews.iter().map(|review| (review.who, review)).collect();
        let author = self.author.map(|author| author(&open.tag));
        let counts = |review: &&&Review| {
            review.verdict == Verdict::Approve
                && review.head == open.head
                && is_sre(review.who)
                && review.said > self.stages[stage].void_until
                && open.requester != Some(review.who)
                && author != Some(review.who)
        };
        let valid: BTreeSet<&str> =
            latest.values().filter(counts).map(|review| PEOPLE[review.who].0).collect();
        if valid.len() < min {
            return Err(format!(
                "{id} was merged with {} of {min} approvals: {:?}",
                valid.len(),
                open.reviews
            ));
        }
        let named = trailer(&commit.message, "Approved-By");
        for name in named.iter().filter_map(|line| line.split(' ').next()) {
            if !valid.contains(name) {
                return Err(format!("{id}: the approval of {name} was counted: {:?}", open.reviews));
            }
        }
        let is_against = |review: &&&Review| {
            review.verdict == Verdict::Changes && may_write(review.who) && review.head == open.head
        };
        match latest.values().find(is_against) {
            Some(review) => Err(format!("{id} was merged against {}", PEOPLE[review.who].0)),
            None => Ok(()),
        }
    }

    /// A commit of a person: where it changes a pin, the stage is held.
    fn persons(&mut self, commit: &Commit, now: i64) {
        for (path, _, after) in &commit.changed {
            let Some(stage) = STAGES.iter().position(|name| path == &format!("env/{name}/web.yaml")) else {
                continue;
            };
            let found = pin(after);
            let is_same = match (&found, self.live(stage)) {
                (Some((_, digest)), Some(live)) => *digest == live.digest,
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                let said = self.said;
                self.stages[stage].holds.push(Hold { by_word: false, until: None, said });
                self.came(stage, found, By::Person, now);
            }
        }
    }

    fn came(&mut self, stage: usize, pinned: Option<(String, String)>, by: By, now: i64) {
        let lives = &mut self.stages[stage].lives;
        if let Some(live) = lives.last_mut().filter(|life| life.to.is_none()) {
            live.to = Some((now, by));
        }
        if let Some((tag, digest)) = pinned {
            lives.push(Life { tag, digest, by, from: now, to: None });
        }
    }
}

fn stage_of(id: &str) -> Result<usize, String> {
    let name = id.split('/').nth(1).unwrap_or_default();
    STAGES.iter().position(|stage| *stage == name).ok_or_else(|| format!("{id} is of no stage"))
}

/// The file without what its pin says.
fn blank(file: &str) -> String {
    let Some((before, rest)) = file.split_once("image: ") else { return file.to_owned() };
    let name = rest.split([':', '@', ' ', '\n']).next().unwrap_or_default();
    let end = rest.find([' ', '\n']).unwrap_or(rest.len());
    format!("{before}image: {name}{}", &rest[end..])
}
