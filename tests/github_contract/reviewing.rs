//! Who is asked for a review.

use std::collections::BTreeSet;

use lockkeeper::forge::{Forge as _, NewPullRequest, Reviewers};

use crate::forge::{World, new};
use crate::github::{Fault, Membership};

const ASK: &str = "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers";

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn asking(branch: &str, people: &[&str], teams: &[&str]) -> NewPullRequest {
    NewPullRequest { reviewers: Reviewers { people: names(people), teams: names(teams) }, ..new(branch) }
}

#[tokio::test]
async fn those_who_can_be_asked_are_asked_whoever_else_cannot() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    fake.set_team("sre", "grace", Some(Membership::Active));
    for branch in ["a", "b", "c", "d"] {
        world.place.push(branch, &format!("{branch}.yaml"), branch);
    }
    let open = async |new: NewPullRequest| {
        let number = forge.open(&new).await.unwrap().number;
        let pull = fake.thread(number).pull.unwrap();
        (pull.reviewers.into_iter().collect::<Vec<_>>(), pull.team_reviewers.into_iter().collect::<Vec<_>>())
    };
    let sre = vec!["sre".to_owned()];
    // One request for all.
    let all = asking("a", &["Grace", "linus"], &["acme/sre", "elsewhere/sre", "nameless"]);
    assert_eq!((open(all.clone()).await, world.calls(ASK)), ((vec![2, 3], sre.clone()), 1));
    // There is one already: whom it asks is not asked again.
    assert_eq!((open(all).await, world.calls(ASK)), ((vec![2, 3], sre.clone()), 1));
    // GitHub refuses the whole of a request for one of it.
    let some = asking("b", &["grace", "nobody"], &["acme/gone", "acme/sre"]);
    assert_eq!((open(some).await, world.calls(ASK)), ((vec![2], sre), 6));
    // Nothing of it stops the pull request.
    fake.next("requested_reviewers", Fault::Before(502));
    assert_eq!((open(asking("c", &["grace"], &[])).await, world.calls(ASK)), ((vec![], vec![]), 7));
    assert_eq!((open(asking("d", &[], &[])).await, world.calls(ASK)), ((vec![], vec![]), 7));
    world.place.no_violations();
}
