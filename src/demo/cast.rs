//! The people of the story.

use std::sync::Arc;

use super::DemoError;
use crate::forge::Person;
use crate::forge::local::LocalForge;

/// The people file: who there is, and what they may do.
pub(super) const PEOPLE: &str = include_str!("assets/people.json");

/// Everybody, in the order in which they are introduced: the name to sign in with, and what they do here.
pub(super) const EVERYBODY: [(&str, &str); 6] = [
    ("maria", "writes checkout"),
    ("tom", "writes checkout"),
    ("li", "keeps production running, approves"),
    ("kim", "keeps production running, approves"),
    ("sam", "is on call, rolls back"),
    ("rob", "may only read and ask"),
];

/// The person of this name, as the forge knows them.
pub(super) async fn person(forge: &Arc<LocalForge>, name: &str) -> Result<Person, DemoError> {
    let people = forge.people().current().await.map_err(DemoError::part("the people file"))?;
    let found = people.people.iter().find(|entry| entry.name == name);
    let found = found.ok_or_else(|| format!("{name} is not in it"));
    let entry = found.map_err(DemoError::part("the people file"))?;
    Ok(Person { id: entry.id, name: entry.name.clone(), bot: false })
}

/// The address in the commits of this person, as the people file has it.
pub(super) fn email(name: &str) -> String {
    format!("{name}@shop.example")
}
