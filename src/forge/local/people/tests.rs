use std::path::Path;

use super::*;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn check(text: &str, want: &str) {
    let found = parse::parse(Path::new("people.json"), text.as_bytes());
    let found = match found {
        Ok(file) => format!("{} people, {} apps", file.people.len(), file.apps.len()),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(want), "{text}\n found: {found}\nwanted: {want}");
}

#[test]
fn reads_and_refuses() {
    let li = format!(r#"{{"id":4711,"name":"li","permission":"write","token_sha256":"{HASH}"}}"#);
    check("{}", "0 people, 0 apps");
    check(&format!(r#"{{"people":[{li}],"apps":[{{"id":9,"name":"ci"}}]}}"#), "1 people, 1 apps");
    check("{}x", "people file people.json, line 1, column 3");
    check(&format!("{{\"people\":[{li},\n{li}]}}"), "line 2, column 127, at `people[1]`: id 4711 is taken");
    check(
        &format!(r#"{{"people":[{li}],"apps":[{{"id":4711,"name":"ci"}}]}}"#),
        "at `apps[0]`: id 4711 is taken",
    );
    check(&format!(r#"{{"people":[{li}],"apps":[{{"id":9,"name":"LI"}}]}}"#), "name `LI` is taken");
    let twin = format!(r#"{{"id":9,"name":"ci","token_sha256":"{HASH}"}}"#);
    check(&format!(r#"{{"people":[{li}],"apps":[{twin}]}}"#), "the token of `ci` is somebody else's");
    for (key, want) in [
        (r#""id":1,"name":"a","permission":"read""#, "id 1 is taken"),
        (r#""id":0,"name":"a","permission":"read""#, "id 0 is taken"),
        (r#""id":5,"name":"lockkeeper","permission":"read""#, "name `lockkeeper` is taken"),
        (r#""id":5,"name":"a","permission":"owner""#, "at `people[0].permission`: unknown variant `owner`"),
        (r#""id":5,"name":"a b","permission":"read""#, "at `people[0].name`: name \"a b\" is not"),
        (r#""id":5,"name":"","permission":"read""#, "at `people[0].name`"),
        (r#""id":5,"name":"a","permission":"read","rank":1"#, "at `people[0].rank`: unknown field `rank`"),
        (r#""id":-5,"name":"a","permission":"read""#, "at `people[0].id`"),
        (r#""id":5,"name":"a","permission":"read","token_sha256":"secret""#, "keep only the hash"),
    ] {
        check(&format!(r#"{{"people":[{{{key}}}]}}"#), want);
    }
    check(r#"{"person":[]}"#, "unknown field `person`");
    check(r#"{"people":[],"people":[]}"#, "twice");
}

#[test]
fn holds_names_of_39_bytes_but_not_40() {
    let entry = |length: usize| format!(r#"{{"apps":[{{"id":5,"name":"{}"}}]}}"#, "a".repeat(length));
    check(&entry(39), "1 apps");
    check(&entry(40), "is not 1 to 39");
}

#[tokio::test]
async fn reads_a_file_of_1_mib_but_not_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.json");
    let people = People::file(path.clone());
    let blanks = usize::try_from(PEOPLE_BYTES_MAX).unwrap() - "{}".len();
    std::fs::write(&path, format!("{{}}{}", " ".repeat(blanks))).unwrap();
    assert!(people.current().await.is_ok());
    std::fs::write(&path, format!("{{}}{}", " ".repeat(blanks + 1))).unwrap();
    let error = people.current().await.unwrap_err().to_string();
    assert!(error.ends_with("it is longer than 1048576 bytes"), "{error}");
}

#[tokio::test]
async fn finds_holders_and_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.json");
    let people = People::file(path.clone());
    assert!(people.holder("test").await.is_err(), "no file: an error, not nobody");
    let li = format!(r#"{{"id":4711,"name":"li","permission":"write","token_sha256":"{HASH}"}}"#);
    std::fs::write(&path, format!(r#"{{"people":[{li}]}}"#)).unwrap();
    assert_eq!(token_hash("test"), HASH);
    assert_eq!(people.holder("test").await.unwrap().unwrap().person.name, "li");
    assert_eq!(people.holder("").await.unwrap(), None);
    assert_eq!(people.holder("tesT").await.unwrap(), None);
    std::fs::write(&path, "{").unwrap();
    assert!(people.known(4711).await.is_err());
    std::fs::write(&path, r#"{"apps":[{"id":9,"name":"ci"}]}"#).unwrap();
    assert_eq!(people.known(4711).await.unwrap(), None);
    assert_eq!(people.known(9).await.unwrap().unwrap().permission, Permission::Read);
}
