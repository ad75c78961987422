//! Who is asked for a review: those whose approval would count.

use super::gates::principals;
use super::quorum::{Quorum, quorum};
use super::snapshot::Snapshot;
use crate::image::Release;
use crate::pipeline::{Approvals, Principal, Stage};
use crate::promotion::{Actor, Lane};
use crate::pull_request::{Authors, Person, Reviewers};

/// Whose approvals a pull request of this lane waits for.
pub(super) fn rule(stage: &Stage, lane: Lane) -> Option<&Approvals> {
    match lane {
        Lane::Normal | Lane::Hotfix => stage.gates.approvals.as_ref(),
        Lane::Rollback => stage.rollback_approvals.as_ref(),
    }
}

/// Whose approval a new pull request of this lane waits for, in words: "2 approvals by" and who. None: nobody's.
#[must_use]
pub fn approval_wanted(
    snapshot: &Snapshot,
    stage: &Stage,
    lane: Lane,
    was: Option<&Release>,
    release: &Release,
) -> Option<String> {
    let rule = rule(stage, lane)?;
    let Quorum { count, why } = quorum(snapshot, rule, was, release);
    let plural = if count == 1 { "" } else { "s" };
    let who = principals(&rule.from, "whoever may write");
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    (count > 0).then(|| format!("{count} approval{plural} by {who}{why}"))
}

/// Whose approval a stage wants; the owner's where anybody who may write can give it.
pub(super) fn approvers(snapshot: &Snapshot, stage: &Stage, lane: Lane) -> Vec<Principal> {
    match rule(stage, lane) {
        Some(rule) if rule.from.is_empty() => snapshot.pipeline.owner.iter().cloned().collect(),
        Some(rule) => rule.from.clone(),
        None => Vec::new(),
    }
}

/// Those of the approvers who can be asked, without those whose approval would not count: authors as far as they are
/// known, who asked for the promotion, and ourselves. A role is nobody in particular.
#[must_use]
pub fn reviewers(
    approvers: &[Principal],
    authors: Option<&Authors>,
    requested_by: Option<&Actor>,
    me: &Person,
) -> Reviewers {
    let mut left_out = vec![me.name.as_str()];
    left_out.extend(requested_by.map(|actor| actor.name.as_str()));
    if let Some(Authors::Known(people)) = authors {
        left_out.extend(people.iter().map(|person| person.name.as_str()));
    }
    let mut found = Reviewers::default();
    for approver in approvers {
        match approver {
            Principal::Team(team) => drop(found.teams.insert(team.clone())),
            Principal::User(user) if left_out.iter().all(|name| !name.eq_ignore_ascii_case(user)) => {
                found.people.insert(user.clone());
            }
            Principal::User(_) | Principal::Role(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_not_count_is_not_asked() {
        let approvers: Vec<Principal> =
            ["team:acme/sre", "user:ada", "user:Grace", "user:linus", "user:lockkeeper", "role:write"]
                .iter()
                .map(|text| text.parse().unwrap())
                .collect();
        let person = |id, name: &str| Person { id, name: name.to_owned(), bot: false };
        let (me, grace) = (person(9, "lockkeeper"), person(2, "grace"));
        let linus = Actor { id: 3, name: "linus".to_owned(), via: "comment 1".to_owned() };
        let known = Authors::Known(vec![grace]);
        let unknown = Authors::Unknown("nobody knows".to_owned());
        for (authors, requested_by, want) in [
            (Some(&known), Some(&linus), &["ada"][..]),
            (Some(&known), None, &["ada", "linus"]),
            (Some(&unknown), None, &["Grace", "ada", "linus"]),
            (None, None, &["Grace", "ada", "linus"]),
        ] {
            let found = reviewers(&approvers, authors, requested_by, &me);
            assert_eq!(found.people.iter().collect::<Vec<_>>(), want);
            assert_eq!(found.teams.iter().collect::<Vec<_>>(), ["acme/sre"]);
        }
    }
}
