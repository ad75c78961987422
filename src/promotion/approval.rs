//! Whose approval counts.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Actor, Approval};
use crate::pipeline::{Principal, RoleName};

/// The latest review of one person, with what is known of the person now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The forge's id of the review.
    pub review: u64,
    /// The person's id.
    pub person: u64,
    /// The person's name.
    pub name: String,
    /// Whether it approves (else it asks for changes).
    pub approves: bool,
    /// The head reviewed, 40 hex digits.
    pub head: String,
    /// When.
    pub at: Timestamp,
    /// The principals that the person is now.
    pub is: BTreeSet<Principal>,
    /// Whether the person may write to the repository now.
    pub may_write: bool,
    /// Whether this is an app or bot.
    pub bot: bool,
}

/// Why an approval does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discount {
    /// It is for another head.
    OlderHead,
    /// The person asked for the promotion.
    Requester,
    /// The person wrote commits behind the digest.
    Author,
    /// The person is not among those who may approve.
    NotAllowed,
    /// The gates were loosened after it.
    Void,
    /// Apps and bots do not approve.
    Bot,
}

impl Discount {
    /// The reason, as a fragment for people.
    #[must_use]
    pub fn text(&self) -> &'static str {
        match self {
            Self::OlderHead => "is for an older head",
            Self::Requester => "asked for this promotion",
            Self::Author => "wrote commits behind this digest",
            Self::NotAllowed => "is not among those who may approve",
            Self::Void => "approved before the gates were loosened",
            Self::Bot => "is an app",
        }
    }
}

/// The approvals that count for `head`, and the names of those that do not, with why.
#[must_use]
pub fn count(
    ballots: &[Ballot],
    head: &str,
    from: &[Principal],
    requester: Option<u64>,
    authors: &BTreeSet<u64>,
    void_until: Option<Timestamp>,
) -> (Vec<Approval>, BTreeMap<String, Discount>) {
    let mut counted = Vec::new();
    let mut discounted = BTreeMap::new();
    for ballot in ballots.iter().filter(|ballot| ballot.approves) {
        let discount = if ballot.bot {
            Some(Discount::Bot)
        } else if ballot.head != head {
            Some(Discount::OlderHead)
        } else if requester == Some(ballot.person) {
            Some(Discount::Requester)
        } else if authors.contains(&ballot.person) {
            Some(Discount::Author)
        } else if !may_approve(ballot, from) {
            Some(Discount::NotAllowed)
        } else if void_until.is_some_and(|void_until| ballot.at <= void_until) {
            Some(Discount::Void)
        } else {
            None
        };
        match discount {
            Some(discount) => {
                discounted.insert(ballot.name.clone(), discount);
            }
            None => counted.push(Approval {
                person: Actor {
                    id: ballot.person,
                    name: ballot.name.clone(),
                    via: format!("review {}", ballot.review),
                },
                review: ballot.review,
                head: ballot.head.clone(),
            }),
        }
    }
    (counted, discounted)
}

/// Nobody is an approver by accident: without `from`, write permission is needed.
fn may_approve(ballot: &Ballot, from: &[Principal]) -> bool {
    if from.is_empty() {
        return ballot.may_write;
    }
    let is_named = |principal: &Principal| match principal {
        Principal::Role(RoleName::Write) => ballot.may_write,
        Principal::Role(RoleName::Admin) | Principal::Team(_) | Principal::User(_) => {
            ballot.is.contains(principal)
        }
    };
    from.iter().any(is_named)
}
