//! Faults of the git host: it hangs, breaks off, answers nonsense, and floods. Each exchange ends in time with a
//! reason, and the next one works.

use super::packs::{packet, reported};
use super::world::*;

const ADVERTISED: &str = "info/refs?service=git-receive-pack";
const PUSH: &str = "POST /env.git/git-receive-pack";
const FETCH: &str = "POST /env.git/git-upload-pack";
const RESULT: &str = "application/x-git-receive-pack-result";

/// Above every wait of `hasty`, on a machine with much else to do.
const BOUND: Duration = Duration::from_secs(10);

fn hasty() -> Options {
    Options { idle_timeout: Duration::from_millis(400), total_timeout: Duration::from_secs(2), ..options() }
}

#[tokio::test]
async fn faults_of_the_host_end_in_time() {
    let world = world(Way::Http).await;
    let mirror = open(&world.dir, world.mirror.location().clone(), hasty()).await.unwrap();
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    let html = Fault::Answer("text/html".into(), b"<html>Bad gateway</html>".to_vec());
    for (fault, want) in [
        (Fault::Hang, "unavailable"),
        (Fault::Status(500), "unavailable"),
        (Fault::Status(503), "unavailable"),
        (Fault::Status(429), "unavailable"),
        (Fault::Status(200), "unavailable"),
        (html, "unavailable"),
        (Fault::Status(403), "denied"),
        (Fault::Status(404), "not found"),
        (Fault::Status(400), "refused"),
        (Fault::CutAfter(0), "unavailable"),
        (Fault::CutAfter(20), "unavailable"),
        (Fault::HangAfter(0), "unavailable"),
        (Fault::HangAfter(20), "unavailable"),
        (Fault::Redirect("http://127.0.0.1:1/env.git".into()), "unavailable"),
    ] {
        let begun = Instant::now();
        for part in [ADVERTISED, PUSH] {
            world.host.fail(part, fault.clone());
            assert_eq!(kind(&mirror.push(push.clone()).await).0, want, "{part} {fault:?}");
            // What had reached the host was done there: the outcome is read again, nothing is done twice.
            world.mirror.push(push.clone()).await.unwrap_or_else(|error| panic!("{part} {fault:?}: {error}"));
            assert_eq!(world.tip("x"), commit.to_string());
            git(&world.remote, &["update-ref", "-d", "refs/heads/x"]);
        }
        world.host.fail("git-upload-pack", fault.clone());
        assert_eq!(kind(&mirror.tip("main").await).0, want, "{fault:?}");
        assert!(world.mirror.tip("main").await.is_ok(), "and the next time it works");
        assert!(begun.elapsed() < 2 * BOUND, "{fault:?}");
    }
    world.fsck();
}

#[tokio::test]
async fn a_fetch_that_breaks_off_is_fetched_again() {
    let world = world(Way::Http).await;
    let mirror = open(&world.dir, world.mirror.location().clone(), hasty()).await.unwrap();
    for fault in [
        Fault::Hang,
        Fault::HangAfter(10),
        Fault::HangAfter(60),
        Fault::CutAfter(30),
        Fault::CutAfter(100),
        Fault::LoseAnswer,
        Fault::Status(503),
    ] {
        let tip = rival(&world.remote, "main", "100644", "x", &format!("{fault:?}"));
        // The refs are told, the pack is not.
        world.host.fail(FETCH, Fault::Pass);
        world.host.fail(FETCH, fault.clone());
        let begun = Instant::now();
        assert_eq!(kind(&mirror.tip("main").await).0, "unavailable", "{fault:?}");
        assert!(begun.elapsed() < BOUND, "{fault:?}");
        assert_eq!(world.mirror.tip("main").await.unwrap(), Some(tip), "{fault:?}");
        assert_eq!(world.mirror.read(tip, "x").await.unwrap().unwrap(), format!("{fault:?}").into_bytes());
    }
    assert!(
        !world.dir.path().join("mirror/incoming.pack").exists(),
        "nothing is left of those that broke off"
    );
}

#[tokio::test]
async fn a_first_fetch_that_breaks_off_leaves_no_mirror() {
    let world = world(Way::Http).await;
    let location = world.mirror.location().clone();
    let mirror = world.dir.path().join("mirror/mirror.git");
    std::fs::remove_dir_all(&mirror).unwrap();
    for fault in [Fault::Hang, Fault::HangAfter(40), Fault::CutAfter(100), Fault::Status(500)] {
        world.host.fail(FETCH, Fault::Pass);
        world.host.fail(FETCH, fault.clone());
        assert_eq!(kind(&open(&world.dir, location.clone(), hasty()).await).0, "unavailable", "{fault:?}");
        assert!(!mirror.exists(), "{fault:?}");
    }
    assert_eq!(
        open(&world.dir, location, options()).await.unwrap().tip("main").await.unwrap(),
        Some(world.base)
    );
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let world = world(Way::Http).await;
    let mirror = open(&world.dir, world.mirror.location().clone(), hasty()).await.unwrap();
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    let pause = Duration::from_millis(20);
    let words = |service: &str, words: &[u8], pause| {
        Fault::Endless(format!("application/x-git-{service}"), words.to_vec(), pause)
    };
    let chatter = packet(b"\x02still counting\n");
    let flood = packet(&[&[2][..], &vec![b'x'; 60_000]].concat());
    let report = packet(&[&[1][..], &vec![b'x'; 60_000]].concat());
    for (part, fault) in [
        // A sign of life now and then, for ever.
        (PUSH, words("receive-pack-result", &chatter, pause)),
        (PUSH, words("receive-pack-result", &flood, Duration::ZERO)),
        (PUSH, words("receive-pack-result", &report, Duration::ZERO)),
        (ADVERTISED, words("receive-pack-advertisement", &packet(b"version 1"), Duration::ZERO)),
    ] {
        world.host.fail(part, fault);
        let begun = Instant::now();
        assert_eq!(kind(&mirror.push(push.clone()).await).0, "unavailable", "{part}");
        assert!(begun.elapsed() < BOUND, "{part}");
    }
    let line = packet(format!("{commit} refs/heads/main-{}\n", "x".repeat(900)).as_bytes());
    rival(&world.remote, "main", "100644", "x", "y");
    for (pass, fault) in [
        (false, words("upload-pack-result", &line, Duration::ZERO)),
        (false, words("upload-pack-result", &chatter, pause)),
        (true, words("upload-pack-result", &chatter, pause)),
        (true, words("upload-pack-result", &packet(b"acknowledgments\n"), Duration::ZERO)),
    ] {
        if pass {
            world.host.fail(FETCH, Fault::Pass);
        }
        world.host.fail(FETCH, fault);
        let begun = Instant::now();
        assert_eq!(kind(&mirror.tip("main").await).0, "unavailable");
        assert!(begun.elapsed() < BOUND);
    }
    world.mirror.push(push).await.unwrap();
    assert!(world.mirror.tip("main").await.unwrap().is_some());
}

#[tokio::test]
async fn a_report_that_lies_is_not_believed() {
    let world = world(Way::Http).await;
    let commit = world.promoted().await;
    let push = vec![update("refs/heads/x", None, Some(commit))];
    for (body, want, words) in [
        (reported(&[b"unpack ok\n"]), "unavailable", "does not name refs/heads/x"),
        (reported(&[b"unpack ok\n", b"ok refs/heads/y\n"]), "unavailable", "does not name refs/heads/x"),
        (reported(&[b"ok refs/heads/x\n"]), "unavailable", "does not begin with unpack"),
        (reported(&[b"unpack index-pack abnormal exit\n"]), "unavailable", "index-pack abnormal exit"),
        (
            reported(&[b"unpack ok\n", b"ng refs/heads/x \x1b[31mno\x1b[0m\x07\n"]),
            "refused",
            "refs/heads/x: no",
        ),
        (reported(&[b"unpack ok\n", b"<html>\n"]), "unavailable", "none of unpack"),
        (b"ffff".to_vec(), "unavailable", "65,520"),
        (b"zzzz".to_vec(), "unavailable", "hex"),
        (b"0003".to_vec(), "unavailable", "65,520"),
        (packet(b"\x03out of disk\n"), "unavailable", "out of disk"),
        (packet(b"ERR no such service\n"), "unavailable", "no such service"),
        (packet(b"\x07x"), "unavailable", "band"),
        (b"0000".to_vec(), "unavailable", "does not begin with unpack"),
        (b"".to_vec(), "unavailable", "ends before its end"),
        (b"<html></html>".to_vec(), "unavailable", "hex"),
    ] {
        world.host.fail(PUSH, Fault::Answer(RESULT.into(), body));
        let (name, text) = kind(&world.mirror.push(push.clone()).await);
        assert_eq!(name, want, "{text}");
        assert!(text.contains(words), "{text}, wanted {words}");
        assert!(!text.contains('\x1b'));
        assert_eq!(world.tip("x"), "", "the host did nothing");
    }
    world.mirror.push(push).await.unwrap();
    assert_eq!(world.tip("x"), commit.to_string());
    world.fsck();
}

#[tokio::test]
async fn a_lost_answer_is_made_good_by_the_same_push() {
    let world = world(Way::Http).await;
    let commit = world.promoted().await;
    let push =
        vec![update("refs/heads/x", None, Some(commit)), update("refs/heads/records", None, Some(commit))];
    world.host.fail(PUSH, Fault::LoseAnswer);
    assert_eq!(kind(&world.mirror.push(push.clone()).await).0, "unavailable");
    assert_eq!((world.tip("x"), world.tip("records")), (commit.to_string(), commit.to_string()));
    world.host.take_requests();
    world.mirror.push(push.clone()).await.unwrap();
    assert!(
        world.host.take_requests().iter().all(|request| request.starts_with("GET")),
        "nothing is sent twice"
    );
    // Someone went on from it before we asked again: that is no race lost, but the ref is no longer ours.
    rival(&world.remote, "x", "100644", "y", "z");
    assert_eq!(kind(&world.mirror.push(push).await).0, "moved");
}
