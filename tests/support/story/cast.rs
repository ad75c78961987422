//! The people, images and files of every story.

use lockkeeper::forge::local::{AppEntry, PeopleFile, PersonEntry, token_hash};
use lockkeeper::forge::{Permission, Person};

use super::super::secrets::token_of;

/// The host of the story's registry.
const HOST: &str = "registry.test/shop";

pub(super) fn repository(image: &str) -> String {
    format!("{HOST}/{image}")
}

pub(super) fn manifest(image: &str, reference: &str) -> String {
    format!(
        "# kept as it is\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {image}\nspec:\n  template:\n    spec:\n      containers:\n        - name: {image}\n          image: {reference}   # the pin\n          env: [{{ name: A, value: \"1\" }}]\n"
    )
}

pub(super) fn entry(id: u64, name: &str, permission: Permission, teams: &[&str]) -> PersonEntry {
    PersonEntry {
        id,
        name: name.to_owned(),
        permission,
        teams: teams.iter().map(|team| (*team).to_owned()).collect(),
        emails: [email(id, name)].into(),
        token_sha256: hex::decode(token_hash(&token_of(name))).unwrap().try_into().ok(),
    }
}

/// The address in commits, in the form by which GitHub knows people, too.
pub(super) fn email(id: u64, name: &str) -> String {
    format!("{id}+{name}@users.noreply.github.com")
}

pub(super) fn people() -> PeopleFile {
    PeopleFile {
        people: vec![
            entry(11, "li", Permission::Write, &["acme/sre"]),
            entry(12, "kim", Permission::Write, &["acme/sre"]),
            entry(13, "maria", Permission::Write, &["acme/owners", "acme/sre"]),
            entry(14, "sam", Permission::Write, &["acme/oncall"]),
            entry(15, "rob", Permission::Read, &[]),
            entry(16, "ana", Permission::Admin, &[]),
            entry(17, "tom", Permission::Write, &[]),
        ],
        apps: vec![AppEntry { id: 90, name: "ci".to_owned(), token_sha256: None }],
    }
}

pub(super) fn person(name: &str) -> Person {
    let people = people();
    let found = people.people.iter().find(|entry| entry.name == name);
    let app = people.apps.iter().find(|entry| entry.name == name);
    let id = found.map(|entry| entry.id).or(app.map(|entry| entry.id)).unwrap_or(0);
    Person { id, name: name.to_owned(), bot: app.is_some() }
}
