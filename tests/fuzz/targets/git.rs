//! What a git host says, and what stands in commits.

use std::collections::BTreeMap;

use bytes::BytesMut;
use jiff::Timestamp;
use lockkeeper::plan::messages::recorded;
use lockkeeper::promotion::State;
use lockkeeper::repository::advertisement::{Advertisement, CAPABILITIES_MAX, REFS_MAX};
use lockkeeper::repository::pktline::{Packet, take};
use lockkeeper::repository::report::Report;
use lockkeeper::repository::{RefUpdate, RepositoryError, trailers as trailers_of};

/// Stands between the messages of several commits.
const BETWEEN: &str = "\n>>>\n";

/// Packets are taken byte for byte; advertisements are bounded; a push counts as done only where the report says so.
pub fn git_wire(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    let mut advertisement = Advertisement::default();
    let (mut taken, mut is_advertisement) = (0, true);
    while let Ok(Some(packet)) = take(&mut buffer) {
        taken += match &packet {
            Packet::Data(data) => {
                is_advertisement = is_advertisement && advertisement.add(data).is_ok();
                4 + data.len()
            }
            Packet::Flush | Packet::Delimiter | Packet::ResponseEnd => 4,
        };
        assert_eq!(&buffer[..], &data[taken..], "after {packet:?}");
    }
    check_advertisement(&advertisement, data.len());
    check_report(data);
}

fn check_advertisement(advertisement: &Advertisement, bytes: usize) {
    assert!(advertisement.refs.len() <= REFS_MAX && advertisement.capabilities.len() <= CAPABILITIES_MAX);
    // Bytes that are no UTF-8 are replaced by three.
    let kept: usize = advertisement.refs.keys().chain(&advertisement.capabilities).map(String::len).sum();
    assert!(kept <= 3 * bytes, "{kept} bytes kept of {bytes}");
    for name in advertisement.refs.keys() {
        assert!(name == "HEAD" || name.starts_with("refs/"), "{name:?}");
        assert!(!name.contains([' ', '\0']) && !name.ends_with("^{}"), "{name:?}");
    }
}

fn check_report(data: &[u8]) {
    let update = |name: &str| RefUpdate { name: name.to_owned(), old: None, new: None };
    let updates = [update("refs/heads/a"), update("refs/heads/b")];
    let fate =
        Report::parse(data).map_err(RepositoryError::from).and_then(|report| report.fate(&updates, "words"));
    match fate {
        Ok(()) => {
            let text = String::from_utf8_lossy(data);
            assert!(text.contains("unpack ") && text.matches("ok ").count() >= updates.len(), "{text:?}");
            assert!(updates.iter().all(|update| text.contains(update.name.split('/').next_back().unwrap())));
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.chars().count() <= 5_000 && !text.contains(char::is_control), "{text:?}");
        }
    }
}

/// Trailers are plain lines; whatever they say, what is rebuilt from them folds into a state.
pub fn trailers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pipeline = "checkout".parse().unwrap();
    let (mut state, mut live) = (State::default(), BTreeMap::new());
    for message in text.split(BETWEEN) {
        let lines = trailers_of(message);
        check_lines(message, &lines);
        let commit = "0123456789012345678901234567890123456789";
        let Some(recorded) = recorded(&pipeline, &lines, Timestamp::UNIX_EPOCH, commit) else { continue };
        assert!(!recorded.changes.is_empty());
        let stage = recorded.stage.clone();
        let (release, entries) = recorded.entries(live.get(&stage));
        for entry in &entries {
            let text = serde_json::to_string(entry).unwrap();
            assert_eq!(&serde_json::from_str::<lockkeeper::promotion::Entry>(&text).unwrap(), entry);
            state.apply(entry).unwrap_or_else(|error| panic!("{error}: {entry:?}"));
        }
        assert_eq!(state.live(&stage).map(|stint| &stint.release), Some(&release));
        live.insert(stage, release);
    }
}

fn check_lines(message: &str, lines: &[(String, String)]) {
    assert!(lines.len() <= message.lines().count());
    for (key, value) in lines {
        assert!(!key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        assert!(!value.contains('\n') && value.trim() == value, "{value:?}");
    }
    let written: Vec<String> = lines.iter().map(|(key, value)| format!("{key}: {value}\n")).collect();
    assert_eq!(trailers_of(&format!("title\n\n{}", written.concat())), lines, "written anew");
}
