use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::forge::local::thread::Spoken;
use crate::forge::local::{Identified, LocalForge};
use crate::forge::{CheckStatus, PullRequestState};

fn issue(number: Number) -> Thread {
    Thread {
        number,
        kind: Kind::Issue { key: "k".to_owned() },
        author: LocalForge::bot(),
        title: "t".to_owned(),
        body: String::new(),
        labels: BTreeSet::new(),
        opened_at: jiff::Timestamp::UNIX_EPOCH,
        state: PullRequestState::Open,
        comments: Vec::new(),
        events: Vec::new(),
    }
}

async fn folder() -> (tempfile::TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path().to_owned()).await.unwrap();
    (temporary, folder)
}

#[tokio::test]
async fn keeps_threads_and_marks() {
    let (temporary, folder) = folder().await;
    let write = |locked: &Locked<'_>| {
        let mut thread = issue(locked.next_number()?);
        locked.put(&thread)?;
        let second = issue(locked.next_number()?);
        locked.put(&second)?;
        thread.close(jiff::Timestamp::UNIX_EPOCH, &LocalForge::bot(), super::super::thread::What::Closed);
        locked.put(&thread)
    };
    folder.writing(write).await.unwrap();
    let numbers = |threads: Vec<Thread>| threads.iter().map(|thread| thread.number).collect::<Vec<_>>();
    assert_eq!(numbers(folder.open_threads(Marks::Issues).unwrap()), [2]);
    // What a crash leaves: a mark without a thread, and a mark of a closed thread.
    File::create(temporary.path().join("open/issues/1")).unwrap();
    File::create(temporary.path().join("open/issues/77")).unwrap();
    assert_eq!(numbers(folder.open_threads(Marks::Issues).unwrap()), [2]);
    assert_eq!(folder.open_thread(&issue(0).kind).unwrap(), Some(2));
    assert!(folder.thread(1).is_ok());
    assert!(matches!(folder.thread(77), Err(ForgeError::NotFound { .. })));
    std::fs::write(temporary.path().join("threads/2.json"), "{").unwrap();
    assert!(matches!(folder.thread(2), Err(ForgeError::Refused { .. })), "damaged is not absent");
}

#[tokio::test]
async fn gives_each_id_once_among_threads() {
    let (_temporary, folder) = folder().await;
    let id = |folder: Folder| async move { folder.writing(|locked| locked.next_id(1)).await.unwrap() };
    let ids = futures::future::join_all((0..20).map(|_| id(folder.clone()))).await;
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), (1..=20).collect());
}

#[tokio::test]
async fn passes_over_ids_that_a_crash_burnt() {
    let (temporary, folder) = folder().await;
    let path = temporary.path().join("comments.index");
    folder.writing(|locked| locked.next_id(7)).await.unwrap();
    // Half a line.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(b"000000");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(folder.index_after(0, 10).unwrap(), [7]);
    assert_eq!(folder.writing(|locked| locked.next_id(8)).await.unwrap(), 2);
    assert_eq!(folder.index_after(0, 10).unwrap(), [7, 8]);
    assert_eq!(folder.index_after(1, 10).unwrap(), [8]);
    assert_eq!(folder.index_after(0, 1).unwrap(), [7]);
    assert_eq!(folder.index_after(2, 10).unwrap(), [0; 0]);
    assert_eq!(folder.index_after(u64::MAX, 10).unwrap(), [0; 0]);
    assert!(folder.thread_of(1).unwrap().is_none());
}

#[tokio::test]
async fn holds_100_checks_on_a_commit_and_no_more() {
    let (_temporary, folder) = folder().await;
    let commit: CommitId = "0".repeat(40).parse().unwrap();
    let check = |name: usize| Check {
        name: name.to_string(),
        app: "ci".to_owned(),
        status: CheckStatus::Passed,
        summary: String::new(),
        text: String::new(),
    };
    let write = move |locked: &Locked<'_>| {
        for name in 0..CHECKS_MAX {
            assert!(locked.put_check(commit, &check(name))?);
        }
        assert!(!locked.put_check(commit, &check(0))?, "the same again is no news");
        locked.put_check(commit, &check(CHECKS_MAX))
    };
    assert!(matches!(folder.writing(write).await, Err(ForgeError::Refused { .. })));
    assert_eq!(folder.checks(commit).unwrap().len(), CHECKS_MAX);
}

#[tokio::test]
async fn refuses_a_thread_that_is_too_large() {
    let (_temporary, folder) = folder().await;
    let mut thread = issue(1);
    thread.comments.push(Spoken {
        id: 1,
        author: LocalForge::bot(),
        identified: Identified::Directly,
        body: "a".repeat(usize::try_from(THREAD_BYTES_MAX).unwrap()),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        updated_at: jiff::Timestamp::UNIX_EPOCH,
        reactions: BTreeMap::new(),
    });
    let too_large = thread.clone();
    let refused = folder.writing(move |locked| locked.put(&too_large)).await;
    assert!(matches!(refused, Err(ForgeError::Refused { .. })));
    let room = usize::try_from(COMMENT_ROOM_BYTES).unwrap();
    // All but the text itself takes `around` bytes.
    thread.comments[0].body.clear();
    let around = serde_json::to_vec_pretty(&thread).unwrap().len();
    for (bytes, fits) in [(room - around, true), (room - around + 1, false)] {
        thread.comments[0].body = "a".repeat(bytes);
        let said = thread.clone();
        assert_eq!(folder.writing(move |locked| locked.put_said(&said)).await.is_ok(), fits);
        let other = thread.clone();
        assert!(
            folder.writing(move |locked| locked.put(&other)).await.is_ok(),
            "the rest of the room is left"
        );
    }
}
