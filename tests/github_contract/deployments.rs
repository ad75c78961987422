//! Deployments: what the history of a pipeline shows at GitHub.

use lockkeeper::forge::{Deployment, DeploymentStanding, Forge as _};

use crate::forge::{World, kind};
use crate::github::{Fake, Fault};
use crate::promotion::{self, RULES};

const CREATE: &str = "POST /repos/{owner}/{repo}/deployments";
const LIST: &str = "GET /repos/{owner}/{repo}/deployments";
const LOOK: &str = "GET /repos/{owner}/{repo}/pulls";
const SAY: &str = "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses";

/// Each deployment, oldest first: environment, what it is, and what was said of it.
fn shown(fake: &Fake) -> Vec<String> {
    let deployments = fake.deployments().into_iter().map(|found| {
        let description = found.description.unwrap_or_default();
        let version = description.split(' ').next().unwrap_or_default();
        let production = if found.is_production { "!" } else { "" };
        let states: Vec<String> = found.statuses.into_iter().map(|status| status.state).collect();
        format!("{}{production} {version}: {}", found.environment, states.join(" "))
    });
    deployments.collect()
}

#[tokio::test]
async fn a_deployment_is_shown_once_and_says_how_it_stands() {
    let Some(world) = World::new().await else { return };
    let (forge, fake) = (&world.forge, &world.place.fake);
    let commit = world.place.push("main", "a.yaml", "a");
    // A check that fails keeps GitHub from nothing here.
    fake.check("ci", "build", &commit, "failure");
    let deployment = |standing| Deployment {
        commit: commit.parse().unwrap(),
        environment: "web/prod".to_owned(),
        production: true,
        description: "1.1.0 (0123456789ab)".to_owned(),
        standing,
        url: "https://example.com/pull/7".to_owned(),
    };
    let show = async |standing| forge.show_deployment(&deployment(standing)).await;
    // Each write is lost once: what is there already is found.
    fake.next("POST /repos/acme/environments/deployments", Fault::LoseAnswer);
    assert_eq!(kind(show(DeploymentStanding::Live).await), "unavailable");
    assert_eq!(shown(fake), ["web/prod! 1.1.0: "]);
    fake.next("/statuses", Fault::Pass);
    fake.next("/statuses", Fault::LoseAnswer);
    assert_eq!(kind(show(DeploymentStanding::Live).await), "unavailable");
    assert_eq!(shown(fake), ["web/prod! 1.1.0: in_progress"]);
    for _ in 0..2 {
        show(DeploymentStanding::Live).await.unwrap();
        assert_eq!(shown(fake), ["web/prod! 1.1.0: in_progress success"]);
    }
    let status = fake.deployments()[0].statuses[1].clone();
    assert_eq!(
        (status.log_url.as_str(), status.environment_url.as_str()),
        (
            deployment(DeploymentStanding::Live).url.as_str(),
            deployment(DeploymentStanding::Live).url.as_str()
        )
    );
    show(DeploymentStanding::RolledBack).await.unwrap();
    assert_eq!(shown(fake), ["web/prod! 1.1.0: in_progress success failure"]);
    // One that nobody saw live only says how it ended.
    let other = Deployment {
        environment: "web/dev".to_owned(),
        production: false,
        ..deployment(DeploymentStanding::Replaced)
    };
    forge.show_deployment(&other).await.unwrap();
    assert_eq!(shown(fake)[1], "web/dev 1.1.0: inactive");
    // Without the permission it is left out.
    let before = (world.calls(CREATE), world.calls(SAY));
    let unknown = Deployment { environment: "web/new".to_owned(), ..other };
    fake.next("GET /repos/acme/environments/deployments", Fault::Before(403));
    forge.show_deployment(&unknown).await.unwrap();
    assert_eq!((world.calls(CREATE), world.calls(SAY)), before);
    fake.next("GET /repos/acme/environments/deployments", Fault::Before(502));
    assert_eq!(kind(forge.show_deployment(&unknown).await), "unavailable");
    world.place.no_violations();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_promotion_and_its_rollback() {
    let rules = RULES.replace(
        "        gates: { approvals: { min: 1, from: [\"team:acme/sre\"], independent: false } }\n",
        "        merge: automatic\n",
    );
    assert_ne!(rules, RULES);
    // It is made, and the server is stopped before it hears of it.
    let prepare = |world: &promotion::World| {
        world.release("1.1.0");
        world.github.fake.next("POST /repos/acme/environments/deployments", Fault::HangAfter);
    };
    let Some(mut world) = promotion::World::with(&rules, prepare).await else { return };
    world.until("a deployment", || !world.github.fake.deployments().is_empty()).await;
    world.restart();
    let fake = world.github.fake.clone();
    let until = async |world: &promotion::World, wanted: &[&str]| {
        world.until(wanted.last().unwrap(), || shown(&world.github.fake) == wanted).await;
    };
    let dev = "web/dev 1.1.0: in_progress success";
    until(&world, &[dev, "web/prod! 1.1.0: in_progress success"]).await;
    let merged = fake.pull_requests().into_iter().find(|thread| thread.title.contains("(prod)")).unwrap();
    let commit = merged.pull.unwrap().merged.unwrap().commit;
    assert!(fake.deployments().iter().any(|found| found.commit == commit && found.environment == "web/prod"));
    // Deployments that GitHub does not take now delay nothing.
    fake.next("GET /repos/acme/environments/deployments", Fault::Before(502));
    fake.comment("ada", merged.number, "/rollback prod INC-1 errors everywhere");
    let asked = world.calls(LIST);
    world.until("prod back at 1.0.0", || world.pinned("prod", "1.0.0")).await;
    world.until("a deployment asked for", || world.calls(LIST) > asked).await;
    world.restart();
    let back = [dev, "web/prod! 1.1.0: in_progress success failure", "web/prod! 1.0.0: in_progress success"];
    until(&world, &back).await;
    world.release("1.1.1");
    world.restart();
    let next = [
        "web/dev 1.1.0: in_progress success inactive",
        back[1],
        back[2],
        "web/dev 1.1.1: in_progress success",
    ];
    until(&world, &next).await;
    // All of it is in the record: nothing is asked again.
    let recorded = || world.place.run(&["history", "--all"]).out.matches("the forge shows").count() == 6;
    world.until("a record of it", recorded).await;
    let calls = || {
        fake.calls()
            .into_iter()
            .filter(|(name, _)| name.contains("/deployments"))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    let (before, looks) = (calls(), world.calls(LOOK));
    world.restart();
    world.until("a look", || world.calls(LOOK) > looks).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(calls(), before);
    world.github.no_violations();
}
