//! Faults of the git host.

use super::world::*;

#[tokio::test]
async fn faults_of_the_host_end_in_time() {
    let world = world(Way::Http).await;
    let options = Options { idle_timeout: Duration::from_millis(300), ..options() };
    let mirror = open(&world.dir, world.mirror.location().clone(), options).await.unwrap();
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    for (fault, want) in [
        (Fault::Hang, "unavailable"),
        (Fault::Status(500), "unavailable"),
        (Fault::Status(503), "unavailable"),
        (Fault::Status(429), "unavailable"),
        (Fault::Status(200), "unavailable"),
        (Fault::Status(403), "denied"),
        (Fault::Status(404), "not found"),
        (Fault::Status(400), "refused"),
        (Fault::CutAfter(0), "unavailable"),
        (Fault::CutAfter(20), "unavailable"),
        (Fault::Redirect("http://127.0.0.1:1/env.git".into()), "unavailable"),
    ] {
        let begun = Instant::now();
        for part in ["info/refs?service=git-receive-pack", "POST /env.git/git-receive-pack"] {
            world.host.fail(part, fault.clone());
            assert_eq!(kind(&mirror.push(push.clone()).await).0, want, "{part} {fault:?}");
            git(&world.remote, &["update-ref", "-d", "refs/heads/x"]);
        }
        world.host.fail("git-upload-pack", fault.clone());
        assert_eq!(kind(&mirror.tip("main").await).0, want, "{fault:?}");
        assert!(mirror.tip("main").await.is_ok(), "and the next time it works");
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_good_by_the_same_push() {
    let world = world(Way::Http).await;
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    world.host.fail("POST /env.git/git-receive-pack", Fault::LoseAnswer);
    assert_eq!(kind(&world.mirror.push(push.clone()).await).0, "unavailable");
    assert_eq!(world.tip("x"), commit.to_string());
    world.mirror.push(push).await.unwrap();
}
