//! From a push to production and back, with nothing but real parts: Debian's docker-registry with notifications, skopeo,
//! git over smart HTTP with a token and a hook, the server as a process, people at its pages.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod secrets;
mod world;

#[path = "../support/docker_registry.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod docker_registry;
#[path = "../support/git_http.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod git_http;
#[path = "../support/oci_layout.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod oci_layout;
#[path = "../support/parts.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod parts;
#[path = "../support/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with other tests")]
mod process;
#[path = "../support/receiver.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod receiver;
#[path = "../support/visitor.rs"]
#[allow(unreachable_pub, reason = "shared with other tests")]
mod visitor;

use std::time::{Duration, Instant};

use world::World;

/// The goal from the last notification to the pushed pull request. Printed, not asserted: other work on the machine counts
/// in it.
const PROPOSAL_GOAL: Duration = Duration::from_secs(1);
/// The same from the comment to the merge of the rollback.
const ROLLBACK_GOAL: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn from_a_push_to_production_and_back() {
    let Some(mut world) = World::start().await else { return };
    for stage in files::STAGES {
        world.wait_for(stage, "1.0.0", "live").await;
    }

    // Two images make a release when both have the tag; dev and staging take it by themselves.
    world.push("1.1.0");
    world.wait_for("dev", "1.1.0", "live").await;
    let proposal = world.proposal_time();
    world.wait_for("staging", "1.1.0", "live").await;
    approve_production(&mut world, "1.1.0").await;
    world.check_pins("1.1.0", &files::STAGES);

    // The git host refuses: the board says so in the hook's words, and it goes on when the hook lets it.
    world.refuse("main is frozen for the audit");
    world.push("1.2.0");
    world
        .wait_until("the hook's words stand on the board", |world| {
            world.stage("dev")["holds"].to_string().contains("frozen for the audit")
        })
        .await;
    assert!(world.board().await.contains("frozen for the audit"));
    world.check_pins("1.1.0", &files::STAGES);
    world.accept();
    world.comment("sam", &world.issue(), "/status").await;
    world.wait_for("dev", "1.2.0", "live").await;
    world.wait_for("staging", "1.2.0", "live").await;
    approve_production(&mut world, "1.2.0").await;

    // It burns: one comment on the pull request of one region takes both back.
    let merged = world.last_pull_request("prod-eu");
    let before = world.merges();
    let begun = Instant::now();
    world.comment("sam", &format!("pulls/{merged}"), "/rollback prod INC-7 p99 is too high").await;
    world.wait_until("both regions are merged back", |world| world.merges() == before + 2).await;
    let rollback = begun.elapsed();
    for stage in ["prod-eu", "prod-us"] {
        world.wait_for(stage, "1.1.0", "held").await;
    }
    world.check_pins("1.1.0", &["prod-eu", "prod-us"]);
    world.check_pins("1.2.0", &["dev", "staging"]);

    world.check_record();
    // Two releases waited for two regions and came into four stages; two regions went back.
    world.check_told(&[("promotion.waiting", 4), ("promotion.merged", 8), ("rollback.merged", 2)]).await;
    println!("MEASURED notification → pull request: {proposal:?} (goal {PROPOSAL_GOAL:?})");
    println!("MEASURED rollback comment → two merges: {rollback:?} (goal {ROLLBACK_GOAL:?})");

    // Stopped and started again, nothing more happens, and what is rolled back stays so.
    let head = world.head();
    world.restart();
    world.wait_for("prod-eu", "1.1.0", "held").await;
    world.wait_for("dev", "1.2.0", "live").await;
    assert_eq!(world.head(), head);
    // The same once more with a log that keeps nothing to itself.
    world.push("1.3.0");
    world.wait_for("dev", "1.3.0", "live").await;
    world.check_secrets().await;
    world.check_told_once();
}

/// Both regions wait for the SRE team; one approval each lets them merge.
async fn approve_production(world: &mut World, version: &str) {
    for stage in ["prod-eu", "prod-us"] {
        let number = world.wait_for_approval(stage, version).await;
        world.approve("kim", number).await;
    }
    for stage in ["prod-eu", "prod-us"] {
        world.wait_for(stage, version, "live").await;
    }
}
