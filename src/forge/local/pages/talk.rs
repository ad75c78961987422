//! The timeline of a thread: comments, reviews and events, in the order of time.

use jiff::Timestamp;

use super::body::{name, visible};
use super::markdown;
use super::moment::{Moment, ago};
use crate::forge::local::thread::{Given, Happening, Kind, Spoken, Thread, What};
use crate::forge::{Person, Reaction, Verdict};

/// The most entries shown; the newest of them, and a line that says that there are more.
const ITEMS_MAX: usize = 200;

/// One entry of the timeline.
pub(super) struct Item {
    pub(super) anchor: String,
    pub(super) symbol: &'static str,
    pub(super) class: &'static str,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) at: Moment,
    pub(super) ago: String,
    /// The text of a comment as HTML that is safe; empty if it is none.
    pub(super) html: String,
    pub(super) reactions: Vec<&'static str>,
}

/// The timeline.
pub(super) struct Talk {
    pub(super) items: Vec<Item>,
    pub(super) left_out: usize,
}

impl Talk {
    pub(super) fn new(thread: &Thread, now: Timestamp) -> Self {
        let mut entries: Vec<Entry<'_>> = thread.comments.iter().map(Entry::Comment).collect();
        entries.extend(thread.events.iter().map(Entry::Event));
        if let Kind::Pull(pull) = &thread.kind {
            entries.extend(
                pull.reviews.iter().map(|given| Entry::Review(given, given.review.head == pull.head)),
            );
        }
        entries.sort_by_key(Entry::at);
        let left_out = entries.len().saturating_sub(ITEMS_MAX);
        let items = entries.iter().skip(left_out).map(|entry| entry.item(now)).collect();
        Self { items, left_out }
    }
}

enum Entry<'thread> {
    Comment(&'thread Spoken),
    /// A review, and whether it is of the head of now.
    Review(&'thread Given, bool),
    Event(&'thread Happening),
}

impl Entry<'_> {
    fn at(&self) -> Timestamp {
        match self {
            Self::Comment(spoken) => spoken.created_at,
            Self::Review(given, _) => given.review.at,
            Self::Event(event) => event.at,
        }
    }

    fn item(&self, now: Timestamp) -> Item {
        match self {
            Self::Comment(spoken) => comment(spoken, now),
            Self::Review(given, is_of_head) => review(given, *is_of_head, now),
            Self::Event(event) => happening(event, now),
        }
    }
}

fn item(person: &Person, at: Timestamp, now: Timestamp) -> Item {
    Item {
        anchor: String::new(),
        symbol: "·",
        class: "",
        who: name(person),
        what: String::new(),
        at: Moment::new(at),
        ago: ago(at, now),
        html: String::new(),
        reactions: Vec::new(),
    }
}

fn comment(spoken: &Spoken, now: Timestamp) -> Item {
    let edited = if spoken.updated_at == spoken.created_at { "" } else { ", edited" };
    Item {
        anchor: format!("comment-{}", spoken.id),
        symbol: "",
        class: if spoken.author.bot { "app" } else { "" },
        what: format!("commented{edited}"),
        html: markdown::render(&spoken.body),
        reactions: spoken.reactions.values().map(|reaction| reaction_words(*reaction)).collect(),
        ..item(&spoken.author, spoken.created_at, now)
    }
}

fn review(given: &Given, is_of_head: bool, now: Timestamp) -> Item {
    let review = &given.review;
    let (symbol, class, verb) = verdict(review.verdict);
    let older = if is_of_head { "" } else { ", not the head of now" };
    Item {
        anchor: format!("review-{}", review.id),
        symbol,
        class,
        what: format!("{verb} {}{older} (signed in {})", review.head.short(), given.identified.words()),
        ..item(&review.person, review.at, now)
    }
}

fn happening(event: &Happening, now: Timestamp) -> Item {
    let (symbol, class, what) = match &event.what {
        What::Pushed { head } => ("↑", "", format!("sees a new head {}", head.short())),
        What::Renamed { before } => ("✎", "", format!("changed the title; it was: {}", visible(before))),
        What::Closed => ("✖", "stop", "closed this".to_owned()),
        What::BranchGone => ("✖", "stop", "closed this: its branch is gone or holds nothing new".to_owned()),
        What::Merged { commit } => ("✔", "done", format!("merged this as {}", commit.short())),
    };
    Item { symbol, class, what, ..item(&event.by, event.at, now) }
}

/// Symbol, class and words of a verdict.
pub(super) fn verdict(verdict: Verdict) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Approved => ("✓", "go", "approved"),
        Verdict::ChangesRequested => ("✖", "stop", "requested changes on"),
        Verdict::Dismissed => ("·", "", "took back the review of"),
    }
}

fn reaction_words(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Eyes => "👀 seen",
        Reaction::Rocket => "🚀 done",
        Reaction::Confused => "😕 not done",
        Reaction::ThumbsDown => "👎 not allowed",
    }
}
