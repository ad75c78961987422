//! The law of promotion once more, as simple as it can be said, by what the outside sees: the base, the pull requests,
//! and what people did. It knows nothing of our state or plan, and asks for nothing to happen: it says what must not.

use std::collections::{BTreeMap, BTreeSet};

use crate::step::{Act, Calendar, Health, PEOPLE, Place, STAGES, Said, Verb, Verdict};
use crate::stops::{addresses, is_frozen, is_looser, is_open};

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
    /// Fewest for what does not come by a higher version.
    otherwise: usize,
    /// Whose word rolls back; none: whoever may write.
    on_call: Option<&'static [&'static str]>,
    /// How many others of them have to agree.
    agree: usize,
    /// Who may send a hotfix.
    hotfix: &'static [&'static str],
}

const SRE: [&str; 3] = ["li", "kim", "maria"];

const TABLE: [Stage; 4] = [
    Stage { after: &[], soak: 0, approvals: None, otherwise: 0, on_call: None, agree: 0, hotfix: &[] },
    Stage {
        after: &[0],
        soak: 30 * 60,
        approvals: None,
        otherwise: 0,
        on_call: None,
        agree: 0,
        hotfix: &["tom"],
    },
    Stage {
        after: &[1],
        soak: 60 * 60,
        approvals: Some((1, 1)),
        otherwise: 2,
        on_call: Some(&["sam"]),
        agree: 0,
        hotfix: &["sam"],
    },
    Stage {
        after: &[1, 2],
        soak: 10 * 60,
        approvals: Some((2, 1)),
        otherwise: 0,
        on_call: Some(&["sam", "li", "kim", "maria"]),
        agree: 1,
        hotfix: &["sam", "li"],
    },
];

/// How a release came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Nobody,
    Normal,
    Hotfix,
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

/// A freeze by command.
#[derive(Debug, Clone, Copy)]
struct Frozen {
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
    /// In which act it was heard.
    act: usize,
    to: Option<String>,
}

/// A hotfix that somebody who may asked for.
#[derive(Debug, Clone)]
struct Fix {
    who: usize,
    to: String,
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
    opened_calendar: Calendar,
}

#[derive(Debug, Default)]
struct Seen {
    lives: Vec<Life>,
    holds: Vec<Hold>,
    /// By digest, and when.
    refused: BTreeMap<String, usize>,
    /// A rollback that somebody who may asked for.
    orders: Vec<Order>,
    hotfixes: Vec<Fix>,
    frozen: Option<Frozen>,
    /// What an owner asked for by name.
    named: BTreeSet<String>,
    open: Option<Proposal>,
    void_until: usize,
    last_heads: Vec<String>,
    /// Whether a person surely held it since what is live came.
    is_touched: bool,
    /// What went back by itself, as digests, and those rollbacks.
    undone: BTreeSet<String>,
    alone: BTreeSet<String>,
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
    calendar: Calendar,
    now: i64,
    /// Counts what happens: what is later has more.
    said: usize,
    /// Who promoted which stages in this act.
    promoters: Vec<(usize, usize)>,
    /// When each stage was last reported degraded: what comes into it in that same moment is meant as well.
    degraded: [Option<i64>; STAGES.len()],
    ended: BTreeSet<String>,
    author: Option<Author>,
    pub opened: usize,
    /// Promoted, rolled back, sent as a hotfix.
    pub merged: [usize; 3],
    /// How many stages went back by themselves.
    pub alone: usize,
}

type Checked = Result<(), String>;

fn may_write(who: usize) -> bool {
    PEOPLE[who].0 != "rob"
}

fn is_sre(who: usize) -> bool {
    SRE.contains(&PEOPLE[who].0)
}

fn is_owner(who: usize) -> bool {
    PEOPLE[who].0 == "maria"
}

fn may_roll_back(who: usize, stage: usize) -> bool {
    TABLE[stage].on_call.map_or_else(|| may_write(who), |those| those.contains(&PEOPLE[who].0))
}

fn may_fix(who: usize, stage: usize) -> bool {
    TABLE[stage].hotfix.contains(&PEOPLE[who].0)
}

fn may_veto(who: usize, stage: usize) -> bool {
    is_owner(who) || TABLE[stage].approvals.is_some() && is_sre(who)
}

fn stages_of(word: u8) -> Vec<usize> {
    (0..4).filter(|stage| addresses(word, *stage)).collect()
}

/// The stage and all that come after it.
fn downstream(stage: usize) -> Vec<usize> {
    (stage..4).collect()
}

/// Tag and digest of the one pin in a file; nothing where it has no digest.
pub fn pin(file: &str) -> Option<(String, String)> {
    let reference = file.split("image: ").nth(1)?.split_whitespace().next()?;
    let (name, digest) = reference.split_once("@sha256:")?;
    Some((name.split_once(':').map_or("", |(_, tag)| tag).to_owned(), digest.to_owned()))
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

/// Who asked for what a commit brings, by its trailer.
fn requester(commit: &Commit) -> Option<&str> {
    trailer(&commit.message, "Requested-By").first()?.split(' ').next()
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
            calendar: Calendar::Known(None),
            now,
            said: 0,
            promoters: Vec::new(),
            degraded: [None; STAGES.len()],
            ended: BTreeSet::new(),
            author,
            opened: 0,
            merged: [0; 3],
            alone: 0,
        }
    }

    pub fn is_open(&self, stage: usize) -> bool {
        self.stages[stage].open.is_some()
    }

    /// Whether a person pushed to the branch that is open.
    pub fn is_pushed_over(&self, stage: usize) -> bool {
        self.stages[stage].open.as_ref().is_some_and(|open| open.head != open.head_now)
    }

    pub fn has_older_head(&self, stage: usize) -> bool {
        !self.stages[stage].last_heads.is_empty()
    }

    pub fn is_loose(&self) -> bool {
        self.is_loose
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The time of the last look.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// What the stage pins, as tag.
    pub fn live_tag(&self, stage: usize) -> Option<&str> {
        self.live(stage).map(|life| life.tag.as_str()).filter(|tag| !tag.is_empty())
    }

    /// What the stage pins, as tag and digest.
    pub fn live_pin(&self, stage: usize) -> Option<(String, String)> {
        self.live(stage).map(|life| (life.tag.clone(), life.digest.clone()))
    }

    /// What it pinned before.
    pub fn before(&self, stage: usize) -> Option<(String, String)> {
        let lives = &self.stages[stage].lives;
        let life = lives.iter().rev().nth(usize::from(self.live(stage).is_some()))?;
        (!life.tag.is_empty()).then(|| (life.tag.clone(), life.digest.clone()))
    }

    fn live(&self, stage: usize) -> Option<&Life> {
        self.stages[stage].lives.last().filter(|life| life.to.is_none())
    }

    /// Somebody does something, at this time.
    pub fn act(&mut self, act: &Act, digest_of: impl Fn(&str) -> String, now: i64) {
        self.said += 1;
        self.promoters.clear();
        match act {
            Act::Observe { stage, health, .. } => {
                self.degraded[*stage] = (*health == Health::Bad).then_some(now);
            }
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
                    seen.orders.clear();
                    seen.hotfixes.clear();
                    seen.last_heads.push(open.head);
                    self.ended.insert(open.id);
                }
            }
            Act::Say { said, late: true } => self.untold.push((self.said, said.clone(), now)),
            Act::Say { said, late: false } => {
                self.obey(self.said, said, now, now);
                if let Verb::Hold(word, _) = said.verb
                    && may_write(said.who)
                {
                    for stage in stages_of(word) {
                        self.stages[stage].is_touched = true;
                    }
                }
            }
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
            Act::Calendar(calendar) => {
                self.calendar = calendar.clone();
                for (stage, seen) in self.stages.iter_mut().enumerate() {
                    let is_void = |open: &Proposal| is_looser(&open.opened_calendar, calendar, stage, now);
                    if seen.open.as_ref().is_some_and(is_void) {
                        seen.void_until = self.said;
                    }
                }
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
                    let act = self.said;
                    self.stages[stage].orders.push(Order { said, act, to });
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
            Verb::Hotfix(word, _, true) if is_fresh => self.fix(said, word, what, now),
            Verb::Freeze(word, until) if is_fresh && is_owner(who) => {
                let until = until.map(|minutes| at + i64::from(minutes) * 60);
                for stage in stages_of(word) {
                    let frozen = &mut self.stages[stage].frozen;
                    if frozen.is_none_or(|frozen| frozen.said < said) {
                        *frozen = Some(Frozen { until, said });
                    }
                }
            }
            Verb::Unfreeze(word) if is_fresh && is_owner(who) && what.place == Place::Operations => {
                for stage in stages_of(word) {
                    let frozen = &mut self.stages[stage].frozen;
                    *frozen = frozen.filter(|frozen| frozen.said > said);
                }
            }
            Verb::Hold(..)
            | Verb::Resume(_)
            | Verb::Unveto(_)
            | Verb::Rollback(..)
            | Verb::Promote(..)
            | Verb::Hotfix(..)
            | Verb::Freeze(..)
            | Verb::Unfreeze(_)
            | Verb::Retry => {}
        }
    }

    /// A hotfix is for all stages that it names, or for none.
    fn fix(&mut self, said: usize, word: u8, what: &Said, now: i64) {
        let stages = stages_of(word);
        let Some(to) = &what.target else { return };
        if stages.iter().any(|stage| !may_fix(what.who, *stage) || self.is_held(*stage, now)) {
            return;
        }
        for stage in stages {
            self.promoters.push((stage, what.who));
            let seen = &mut self.stages[stage];
            seen.hotfixes.push(Fix { who: what.who, to: to.clone() });
            seen.refused.retain(|_, refused| *refused > said);
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
                // Of several digests, the one that is meant has to be named: which of them are known by then is not told here.
                if self.pushed.iter().filter(|(tag, _)| tag == version).count() > 1 {
                    return;
                }
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
                matches!(life.by, By::Normal | By::Hotfix | By::Rollback)
                    && to - life.from >= TABLE[stage].soak
            };
            lives.iter().any(|life| matches!(life.by, By::Normal | By::Hotfix))
                && lives.iter().skip(since.map_or(0, |since| since + 1)).any(|life| long(&life))
        })
    }

    /// What may neither be opened nor merged by any lane but a rollback.
    fn stopped(&self, stage: usize, tag: &str, digest: &str, now: i64) -> Checked {
        let what = format!("{tag} ({}) in {}", &digest[..12], STAGES[stage]);
        if self.is_held(stage, now) {
            return Err(format!("{what}, which is held"));
        }
        if self.is_vetoed(stage, digest) {
            return Err(format!("{what}, where it is vetoed"));
        }
        if self.stages[stage].refused.contains_key(digest) {
            return Err(format!("{what}, where a person refused it"));
        }
        Ok(())
    }

    /// What may not be merged now: freezes stop both lanes, a window the normal one.
    fn shut(&self, stage: usize, is_hotfix: bool, now: i64) -> Checked {
        let name = STAGES[stage];
        let is_frozen_by_word =
            self.stages[stage].frozen.is_some_and(|frozen| frozen.until.is_none_or(|until| until > now));
        if is_frozen_by_word {
            return Err(format!("into {name}, which is frozen by command"));
        }
        if is_frozen(&self.calendar, stage, is_hotfix, now) {
            return Err(format!("into {name}, which is frozen by the calendar: {:?}", self.calendar));
        }
        if !is_hotfix && !is_open(stage, now) {
            return Err(format!("into {name} outside of its window"));
        }
        Ok(())
    }

    /// What may neither be opened nor merged by the hotfix lane; gives who asked for it.
    fn hotfix(&self, stage: usize, tag: &str, digest: &str, now: i64) -> Result<Vec<usize>, String> {
        self.stopped(stage, tag, digest, now)?;
        let what = format!("the hotfix {tag} ({}) in {}", &digest[..12], STAGES[stage]);
        let orders = self.stages[stage].hotfixes.iter();
        let meant = orders.filter(|fix| fix.to == tag || digest.starts_with(fix.to.as_str()));
        let who: Vec<usize> = meant.map(|fix| fix.who).collect();
        if who.is_empty() {
            return Err(format!("{what}, which nobody asked for who may"));
        }
        match self.live(stage) {
            Some(live) if !live.tag.is_empty() && !tag.is_empty() && order(tag) < order(&live.tag) => {
                Err(format!("{what}, which has {} already: that is backwards", live.tag))
            }
            _ => Ok(who),
        }
    }

    /// What may neither be opened nor merged by the normal lane.
    fn normal(&self, stage: usize, tag: &str, digest: &str, now: i64) -> Checked {
        self.stopped(stage, tag, digest, now)?;
        let what = format!("{tag} ({}) in {}", &digest[..12], STAGES[stage]);
        if !self.has_passed(stage, digest, now) {
            return Err(format!("{what}, but it has not passed upstream"));
        }
        let was_pushed = |(of, pushed): &(String, String)| pushed == digest && (of == tag || tag.is_empty());
        if stage == 0 && !self.pushed.iter().any(was_pushed) {
            return Err(format!("{what}, but the registry never had that"));
        }
        let Some(live) = self.live(stage).filter(|live| !live.tag.is_empty() && !tag.is_empty()) else {
            return Ok(());
        };
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
        self.now = view.now;
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
            let is_again = seen.open.as_ref().is_some_and(|open| open.id.starts_with("rollback/"));
            // It begins with the word. A later attempt puts no second hold, which may have been lifted since.
            let said = match seen.orders.last() {
                Some(order) if order.act == self.said => order.said,
                _ if self.degraded[stage] == Some(self.now) && !is_again => {
                    if seen.is_touched {
                        return Err(format!(
                            "{id} began by itself, where a person had acted since the merge"
                        ));
                    }
                    let live = live.as_ref().map(|live| live.digest.clone()).unwrap_or_default();
                    if !seen.undone.insert(live) {
                        return Err(format!("{id} began by itself a second time for one release"));
                    }
                    seen.alone.insert(id.clone());
                    self.alone += 1;
                    self.said
                }
                Some(_) => continue,
                None => return Err(format!("{id}: nobody asked for that rollback")),
            };
            seen.hotfixes.clear();
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
        if pull.id.starts_with("hotfix/") {
            self.hotfix(stage, &tag, &digest, now).map_err(|error| format!("opened {error}"))?;
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
            opened_calendar: self.calendar.clone(),
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
        let wrong = |error: String| format!("merged {error}");
        let by = match lane.as_str() {
            "rollback" => {
                self.rollback(stage, id, &tag, &digest)?;
                self.agreed(stage, id, commit)?;
                By::Rollback
            }
            "hotfix" => {
                let who = self.hotfix(stage, &tag, &digest, now).map_err(wrong)?;
                self.shut(stage, true, now).map_err(wrong)?;
                let requester = requester(commit);
                if !who.iter().any(|who| Some(PEOPLE[*who].0) == requester) {
                    return Err(format!("{id} is said to be asked for by {requester:?}"));
                }
                self.approved(stage, id, &digest, commit)?;
                By::Hotfix
            }
            "normal" => {
                self.normal(stage, &tag, &digest, now).map_err(wrong)?;
                self.shut(stage, false, now).map_err(wrong)?;
                if self.pull(id).is_none() {
                    self.requested(stage, requester(commit), opened)?;
                }
                self.approved(stage, id, &digest, commit)?;
                By::Normal
            }
            other => return Err(format!("{id} came by the lane {other}")),
        };
        let place = [By::Normal, By::Rollback, By::Hotfix].iter().position(|lane| *lane == by);
        self.merged[place.unwrap_or_default()] += 1;
        self.stages[stage].hotfixes.clear();
        self.stages[stage].open = None;
        self.ended.insert(id.to_owned());
        self.came(stage, Some((tag, digest)), by, now);
        Ok(())
    }

    /// Opened and merged at once: only where nobody has to approve.
    fn requested(&self, stage: usize, by: Option<&str>, opened: Option<&Pull>) -> Checked {
        let wanted = self.promoters.iter().find(|(of, _)| *of == stage).map(|(_, who)| PEOPLE[*who].0);
        match (wanted, by) {
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
        if self.stages[stage].alone.contains(id) {
            return if self.stages[stage].is_touched {
                Err(format!("{id} was merged by itself after a person had acted"))
            } else {
                Ok(())
            };
        }
        // One that is asked for while another is under way may be refused.
        let orders = std::mem::take(&mut self.stages[stage].orders);
        let is_meant = |to: &String| to == tag || digest.starts_with(to.as_str());
        if orders.iter().any(|order| order.to.as_ref().is_none_or(is_meant)) {
            Ok(())
        } else {
            Err(format!("{id} goes to {tag}, and asked for was {orders:?}"))
        }
    }

    /// Where others have to agree to a rollback, they did.
    fn agreed(&self, stage: usize, id: &str, commit: &Commit) -> Checked {
        let (min, requester) = (TABLE[stage].agree, requester(commit));
        if min == 0 {
            return Ok(());
        }
        let Some(open) = self.pull(id) else { return Err(format!("{id} was merged at once")) };
        let latest: BTreeMap<usize, &Review> =
            open.reviews.iter().map(|review| (review.who, review)).collect();
        let agree = latest.values().filter(|review| {
            review.verdict == Verdict::Approve
                && review.head == open.head
                && may_roll_back(review.who, stage)
                && Some(PEOPLE[review.who].0) != requester
        });
        let found = agree.count();
        if open.head != open.head_now || found < min {
            return Err(format!("{id} was merged, and {found} agreed: {:?}", open.reviews));
        }
        let is_against = |review: &&&Review| {
            review.verdict == Verdict::Changes && may_roll_back(review.who, stage) && review.head == open.head
        };
        match latest.values().find(is_against) {
            Some(review) => Err(format!("{id} was merged against {}", PEOPLE[review.who].0)),
            None => Ok(()),
        }
    }

    /// The approvals: enough, each by one who may, for this head and no other, and none by who asked or wrote it.
    fn approved(&self, stage: usize, id: &str, digest: &str, commit: &Commit) -> Checked {
        let Some((tight, loose)) = TABLE[stage].approvals else { return Ok(()) };
        let min = if self.is_loose { loose } else { tight };
        let Some(open) = self.pull(id) else { return Err(format!("{id} was merged at once")) };
        let is_higher = |live: &Life| !live.tag.is_empty() && order(&open.tag).0 > order(&live.tag).0;
        let min = if self.live(stage).is_some_and(is_higher) { min } else { min.max(TABLE[stage].otherwise) };
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
                && requester(commit) != Some(PEOPLE[review.who].0)
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
                self.stages[stage].hotfixes.clear();
                self.came(stage, found, By::Person, now);
            }
        }
    }

    fn came(&mut self, stage: usize, pinned: Option<(String, String)>, by: By, now: i64) {
        self.stages[stage].is_touched = false;
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
