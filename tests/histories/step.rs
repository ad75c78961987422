//! What can happen, in small numbers that shrink, and what it means in a history as it stands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use lockkeeper::image::Digest;
use proptest::prelude::*;

/// The image of every history.
pub const REPOSITORY: &str = "registry.test/shop/web";
/// The stages, in the order of the file.
pub const STAGES: [&str; 4] = ["dev", "staging", "eu", "us"];
/// Who acts: name and id.
pub const PEOPLE: [(&str, u64); 7] =
    [("li", 11), ("kim", 12), ("maria", 13), ("sam", 14), ("rob", 15), ("ana", 16), ("tom", 17)];

/// One thing that happens. Versions count back from the newest, people and stages by their place.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// This far from the newest: 3 is the newest itself.
    Push(u8, Bytes),
    Remove(u8),
    Registry(bool),
    Wait(u8),
    /// The clock is set, in hours.
    Clock(i8),
    Review(u8, u8, Verdict),
    Close(u8, u8),
    PushOn(u8),
    Say(u8, Place, Verb, bool),
    Deliver(u8),
    DeliverAll,
    Again,
    Pin(u8, u8),
    Unpin(u8),
    /// A plain `git revert` of what was pinned last.
    Revert(u8),
    Edit(u8),
    Rules(bool),
    /// Another calendar: what kind, in how many hours its freeze begins, how many it lasts.
    Calendar(u8, i8, u8),
    /// The process stops after so many writes of what follows.
    Stop(u8),
    /// Somebody reports what runs in a stage: what it has, or had before, and how that is.
    Observe(u8, bool, Health),
}

/// How what runs is reported to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Good,
    Rolling,
    Bad,
}

/// What is pushed under a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    Own,
    PreRelease,
    /// Other bytes: the tag moves.
    Other(u8),
    /// The bytes of the version before.
    Before,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Approve,
    Changes,
    Dismiss,
    /// An approval of a head that is not the one.
    ApproveOlder,
}

/// Where a comment is written: the operations issue, or the pull request of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Operations,
    Pull(u8),
}

/// What is promoted as a hotfix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fix {
    Version(u8),
    /// What no rule picks.
    PreRelease(u8),
    Digest(u8),
}

/// A command. A word is a stage, 4 for the group, or 5 for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Hold(u8, Option<u8>),
    Resume(u8),
    Veto(Option<u8>),
    Unveto(u8),
    Rollback(u8, Option<u8>),
    Promote(u8, Option<(u8, bool)>),
    /// Whether it has a reason.
    Hotfix(u8, Fix, bool),
    Freeze(u8, Option<u8>),
    Unfreeze(u8),
    Retry,
}

fn fix() -> impl Strategy<Value = Fix> {
    prop_oneof![
        6 => (0..2_u8).prop_map(Fix::Version),
        1 => (0..3_u8).prop_map(Fix::PreRelease),
        1 => (0..3_u8).prop_map(Fix::Digest),
    ]
}

/// What those say who may, in the operations issue: else most of it would only be refused.
fn said_by_those_who_may() -> impl Strategy<Value = Step> {
    let say = |who, verb| Step::Say(who, Place::Operations, verb, false);
    let fixer = prop_oneof![Just((1, 6)), Just((2, 3)), Just((3, 3)), Just((3, 0))];
    prop_oneof![
        6 => (fixer, fix()).prop_map(move |((stage, who), fix)| say(who, Verb::Hotfix(stage, fix, true))),
        6 => (0..4_u8).prop_map(move |stage| say(3, Verb::Resume(stage))),
        3 => (0..4_u8).prop_map(move |back| say(2, Verb::Unveto(back))),
        2 => Just(say(2, Verb::Unfreeze(5))),
    ]
}

fn verb() -> impl Strategy<Value = Verb> {
    let word = || 0..5_u8;
    let back = || 0..4_u8;
    prop_oneof![
        3 => (word(), proptest::option::of(1..120_u8)).prop_map(|(word, until)| Verb::Hold(word, until)),
        6 => word().prop_map(Verb::Resume),
        2 => proptest::option::of(back()).prop_map(Verb::Veto),
        3 => back().prop_map(Verb::Unveto),
        2 => (word(), proptest::option::of(back())).prop_map(|(word, to)| Verb::Rollback(word, to)),
        5 => (word(), proptest::option::of((back(), any::<bool>())))
            .prop_map(|(word, to)| Verb::Promote(word, to)),
        2 => (0..5_u8, fix(), prop::bool::weighted(0.9))
            .prop_map(|(word, fix, reason)| Verb::Hotfix(word, fix, reason)),
        1 => (0..6_u8, proptest::option::of(1..120_u8)).prop_map(|(word, until)| Verb::Freeze(word, until)),
        1 => (0..6_u8).prop_map(Verb::Unfreeze),
        1 => Just(Verb::Retry),
    ]
}

/// Those who may do most come most often: else little happens.
fn person() -> impl Strategy<Value = u8> {
    prop_oneof![6 => 0..4_u8, 1 => 4..7_u8]
}

pub fn step() -> impl Strategy<Value = Step> {
    let stage = || 0..4_u8;
    let bytes = prop_oneof![
        8 => Just(Bytes::Own),
        2 => Just(Bytes::PreRelease),
        1 => (0..3_u8).prop_map(Bytes::Other),
        1 => Just(Bytes::Before),
    ];
    let verdict = prop_oneof![
        8 => Just(Verdict::Approve),
        1 => Just(Verdict::Changes),
        1 => Just(Verdict::Dismiss),
        1 => Just(Verdict::ApproveOlder),
    ];
    let place = prop_oneof![3 => Just(Place::Operations), 1 => stage().prop_map(Place::Pull)];
    prop_oneof![
        12 => (0..6_u8, bytes).prop_map(|(at, bytes)| Step::Push(at, bytes)),
        1 => (0..6_u8).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Registry),
        14 => (1..90_u8).prop_map(Step::Wait),
        1 => (-3..4_i8).prop_map(Step::Clock),
        16 => (2..4_u8, person(), verdict).prop_map(|(stage, who, how)| Step::Review(stage, who, how)),
        2 => (stage(), person()).prop_map(|(stage, who)| Step::Close(stage, who)),
        1 => stage().prop_map(Step::PushOn),
        30 => (person(), place, verb(), prop::bool::weighted(0.2))
            .prop_map(|(who, place, verb, late)| Step::Say(who, place, verb, late)),
        12 => said_by_those_who_may(),
        5 => any::<u8>().prop_map(Step::Deliver),
        2 => Just(Step::DeliverAll),
        1 => Just(Step::Again),
        1 => (stage(), 0..4_u8).prop_map(|(stage, back)| Step::Pin(stage, back)),
        1 => stage().prop_map(Step::Unpin),
        1 => stage().prop_map(Step::Revert),
        1 => stage().prop_map(Step::Edit),
        2 => any::<bool>().prop_map(Step::Rules),
        2 => (0..11_u8, -2..5_i8, 1..8_u8).prop_map(|(kind, from, long)| Step::Calendar(kind, from, long)),
        4 => (1..9_u8).prop_map(Step::Stop),
    ]
}

/// The same where two stages are watched, `staging` and `us`: somebody reports what runs there now and then, and what went back
/// by itself is brought again.
pub fn watched_step() -> impl Strategy<Value = Step> {
    let health = prop_oneof![4 => Just(Health::Good), 1 => Just(Health::Rolling), 3 => Just(Health::Bad)];
    let stage = prop_oneof![4 => Just(1_u8), 1 => Just(3_u8)];
    let say = |who, verb| Step::Say(who, Place::Operations, verb, false);
    prop_oneof![
        8 => step(),
        4 => (stage, prop::bool::weighted(0.9), health)
            .prop_map(|(stage, is_live, health)| Step::Observe(stage, is_live, health)),
        2 => Just(say(3, Verb::Resume(1))),
        2 => (0..3_u8).prop_map(move |back| say(2, Verb::Unveto(back))),
        1 => (0..2_u8).prop_map(move |word| say(0, Verb::Hold(word, Some(5)))),
        2 => (30..90_u8).prop_map(Step::Wait),
    ]
}

/// What a step means: the words of a story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    Push {
        tag: String,
        bytes: String,
    },
    Remove {
        bytes: String,
    },
    Registry {
        away: bool,
    },
    Wait {
        minutes: i64,
    },
    Clock {
        hours: i64,
    },
    Review {
        stage: usize,
        who: usize,
        verdict: Verdict,
    },
    Close {
        stage: usize,
        who: usize,
    },
    PushOn {
        stage: usize,
    },
    /// `late`: nobody tells of it before [`Act::Deliver`].
    Say {
        said: Said,
        late: bool,
    },
    Deliver {
        which: usize,
    },
    DeliverAll,
    Again,
    Pin {
        stage: usize,
        tag: String,
        bytes: String,
    },
    Unpin {
        stage: usize,
        tag: String,
    },
    Edit {
        stage: usize,
    },
    Rules {
        loose: bool,
    },
    Calendar(Calendar),
    Stop {
        writes: usize,
    },
    Observe {
        stage: usize,
        tag: String,
        /// 64 hex digits.
        digest: String,
        health: Health,
    },
}

/// The calendar file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calendar {
    /// One freeze, or none.
    Known(Option<Freeze>),
    /// A file that nobody can read.
    Broken,
}

/// A freeze of the calendar, in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    pub from: i64,
    pub until: i64,
    /// A stage, 4 for the group, 5 for all.
    pub word: u8,
    pub exception: Option<Exception>,
}

/// What passes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// A stage, 4 for the group, 5 for all.
    pub word: u8,
    pub is_hotfix: bool,
    pub until: i64,
}

impl Calendar {
    /// The file.
    pub fn text(&self) -> String {
        let stage = |word: u8| match word {
            5 => String::new(),
            word => format!("stage: {}, ", STAGES.get(usize::from(word)).copied().unwrap_or("prod")),
        };
        let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
        let freeze = match self {
            Self::Known(None) => return "freezes: []\n".to_owned(),
            Self::Broken => return "freezes: soon\n".to_owned(),
            Self::Known(Some(freeze)) => freeze,
        };
        let exceptions = freeze.exception.as_ref().map(|exception| {
            let lane = if exception.is_hotfix { "hotfix" } else { "normal" };
            format!(
                ", exceptions: [{{ pipeline: web, {}lane: {lane}, owner: \"user:maria\", reason: customers, until: {} }}]",
                stage(exception.word),
                time(exception.until)
            )
        });
        format!(
            "freezes:\n  - {{ name: books, from: {}, until: {}, {}reason: books, owner: \"team:acme/release\"{} }}\n",
            time(freeze.from),
            time(freeze.until),
            stage(freeze.word).replace("stage:", "stages:"),
            exceptions.unwrap_or_default()
        )
    }
}

/// A comment with a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub who: usize,
    pub place: Place,
    pub verb: Verb,
    /// What it names: a version, or a digest.
    pub target: Option<String>,
}

impl Said {
    pub fn text(&self) -> String {
        let word = |word: u8| match word {
            4 => "prod",
            5 => "all",
            word => STAGES[usize::from(word)],
        };
        let to = self.target.as_ref().map(|target| format!(" to {target}")).unwrap_or_default();
        let name = self.target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
        match self.verb {
            Verb::Hold(stage, Some(until)) => format!("/hold {} until {until}m", word(stage)),
            Verb::Hold(stage, None) => format!("/hold {}", word(stage)),
            Verb::Resume(stage) => format!("/resume {}", word(stage)),
            Verb::Veto(_) => format!("/veto{name}"),
            Verb::Unveto(_) => format!("/unveto{name}"),
            Verb::Rollback(stage, _) => format!("/rollback {}{to}", word(stage)),
            Verb::Promote(stage, _) => format!("/promote {}{to}", word(stage)),
            Verb::Hotfix(stage, _, true) => {
                format!("/promote {}{to} lane=hotfix INC-7 it fails", word(stage))
            }
            Verb::Hotfix(stage, _, false) => format!("/promote {}{to} lane=hotfix", word(stage)),
            Verb::Freeze(stage, Some(until)) => format!("/freeze {} until {until}m", word(stage)),
            Verb::Freeze(stage, None) => format!("/freeze {}", word(stage)),
            Verb::Unfreeze(stage) => format!("/unfreeze {}", word(stage)),
            Verb::Retry => "/retry".to_owned(),
        }
    }
}

/// Kept: without optimisation hashing takes longest of all.
static KNOWN: Mutex<BTreeMap<String, Digest>> = Mutex::new(BTreeMap::new());

/// The digest of the bytes of this name.
pub fn digest(bytes: &str) -> Digest {
    // What a person reverts to is known by its digest alone.
    if bytes.len() == 64 {
        return format!("sha256:{bytes}").parse().unwrap();
    }
    let mut known = KNOWN.lock().unwrap();
    if let Some(digest) = known.get(bytes) {
        return *digest;
    }
    let digest = Digest::of(format!("{REPOSITORY}:{bytes}").as_bytes());
    known.insert(bytes.to_owned(), digest);
    digest
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| PEOPLE[*who].0;
        match self {
            Self::Push { tag, bytes } if tag == bytes => write!(formatter, "push web {tag}"),
            Self::Push { tag, bytes } => write!(formatter, "push web {tag} as {bytes}"),
            Self::Remove { bytes } => write!(formatter, "remove web {bytes}"),
            Self::Registry { away } => {
                write!(formatter, "registry {}", if *away { "away" } else { "back" })
            }
            Self::Wait { minutes } => write!(formatter, "wait {minutes}m"),
            Self::Clock { hours } => {
                let way = if *hours < 0 { "back" } else { "forward" };
                write!(formatter, "clock {way} {}h", hours.abs())
            }
            Self::Review { stage, who, verdict } => {
                let (word, rest) = match verdict {
                    Verdict::Approve => ("approve", ""),
                    Verdict::Changes => ("request-changes", ""),
                    Verdict::Dismiss => ("dismiss", ""),
                    Verdict::ApproveOlder => ("approve", " at remembered head"),
                };
                write!(formatter, "{word} {} by {}{rest}", STAGES[*stage], name(who))
            }
            Self::Close { stage, who } => write!(formatter, "close {} by {}", STAGES[*stage], name(who)),
            Self::PushOn { stage } => write!(formatter, "person pushes on {}", STAGES[*stage]),
            Self::Say { said, late } => {
                let place = match said.place {
                    Place::Operations => "operations",
                    Place::Pull(stage) => STAGES[usize::from(stage)],
                };
                let untold = if *late { " untold" } else { "" };
                write!(formatter, "comment {place}{untold} by {}: {}", name(&said.who), said.text())
            }
            Self::Deliver { which } => write!(formatter, "tell comment {which}"),
            Self::DeliverAll => formatter.write_str("tell comments"),
            Self::Again => formatter.write_str("deliver last comment again"),
            Self::Pin { stage, tag, bytes } if tag == bytes => {
                write!(formatter, "pin {} web {tag}", STAGES[*stage])
            }
            Self::Pin { stage, tag, bytes } => {
                write!(formatter, "pin {} web {tag} as {bytes}", STAGES[*stage])
            }
            Self::Unpin { stage, tag } => write!(formatter, "pin {} web {tag} tag-only", STAGES[*stage]),
            Self::Edit { stage } => write!(formatter, "person edits {} web", STAGES[*stage]),
            Self::Rules { loose } => write!(formatter, "rules: us needs {}", if *loose { 1 } else { 2 }),
            Self::Calendar(calendar) => {
                let text = calendar.text();
                write!(formatter, "file calendars/freezes.yaml:\n  {}", text.trim_end().replace('\n', "\n  "))
            }
            Self::Observe { stage, tag, health, .. } => {
                let how = match health {
                    Health::Good => "2/2",
                    Health::Rolling => "1/2",
                    Health::Bad => "0/2 degraded crash loop",
                };
                write!(formatter, "observe {} {tag} {how}", STAGES[*stage])
            }
            Self::Stop { writes } => write!(formatter, "# stops after {writes} writes of the next line"),
        }
    }
}
