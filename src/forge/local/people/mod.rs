//! The people file: who there is, what they may do, and the hashes of their tokens.
//!
//! ```json
//! { "people": [ { "id": 4711, "name": "li", "permission": "write", "teams": ["acme/sre"],
//!                 "emails": ["li@example.com"], "token_sha256": "9f86d0…" } ],
//!   "apps":   [ { "id": 9001, "name": "ci", "token_sha256": "60303a…" } ] }
//! ```
//!
//! The file is read at each question, so a change counts at once. Tokens are random, not chosen by people, so one
//! SHA-256 is enough to keep them; they are compared in constant time. An error in the file denies everybody.

mod parse;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

pub use self::parse::PeopleError;

use crate::forge::{ForgeError, Permission, Person, PersonId};

/// The largest people file, in bytes: 4,000 people of 256 bytes each.
const PEOPLE_BYTES_MAX: u64 = 1 << 20;

/// The contents of a people file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleFile {
    /// The people.
    pub people: Vec<PersonEntry>,
    /// The apps, which report checks.
    pub apps: Vec<AppEntry>,
}

/// A person in the people file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonEntry {
    /// The numeric id, never used again for somebody else; 0 and 1 are taken by the forge and lockkeeper.
    pub id: PersonId,
    /// The login: 1 to 39 letters, digits, `-`, `_` or `.`, a letter or digit first.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// What the person may do: read (comment), write (review, close, merge), admin.
    pub permission: Permission,
    /// The teams, as rules name them: `acme/sre`.
    #[serde(default)]
    pub teams: BTreeSet<String>,
    /// The addresses in the person's commits.
    #[serde(default)]
    pub emails: BTreeSet<String>,
    /// SHA-256 of the person's token, 64 hex digits; none: no sign-in by token.
    #[serde(default, deserialize_with = "parse::token_sha256")]
    pub token_sha256: Option<[u8; 32]>,
}

/// An app in the people file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppEntry {
    /// The numeric id, from the same range as those of people.
    pub id: PersonId,
    /// The name, by the same grammar as those of people.
    #[serde(deserialize_with = "parse::name")]
    pub name: String,
    /// SHA-256 of the app's token, 64 hex digits.
    #[serde(default, deserialize_with = "parse::token_sha256")]
    pub token_sha256: Option<[u8; 32]>,
}

/// Where the people come from; clones share it.
#[derive(Debug, Clone)]
pub struct People {
    source: Source,
}

/// A person or app, and all that the file says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) person: Person,
    pub(super) permission: Permission,
    pub(super) teams: BTreeSet<String>,
}

#[derive(Debug, Clone)]
enum Source {
    File { path: PathBuf, last: Arc<Mutex<Option<Read>>> },
    Fixed(Arc<PeopleFile>),
}

/// The bytes last read and what they mean, so that an unchanged file is not parsed again.
#[derive(Debug)]
struct Read {
    bytes: Vec<u8>,
    people: Arc<PeopleFile>,
}

/// What is kept of a token: its SHA-256 as 64 hex digits, for `token_sha256` in the people file.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

impl PeopleFile {
    /// Whose address this is, in whatever case it is written.
    pub(super) fn of_address(&self, address: &str) -> Option<Person> {
        let is_theirs = |email: &String| email.eq_ignore_ascii_case(address);
        let entry = self.people.iter().find(|entry| entry.emails.iter().any(is_theirs))?;
        Some(Person { id: entry.id, name: entry.name.clone(), bot: false })
    }
}

impl People {
    /// The people of the file at `path`, which is read at each question.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self { source: Source::File { path, last: Arc::default() } }
    }

    /// These people, for the demo and tests.
    #[must_use]
    pub fn fixed(people: PeopleFile) -> Self {
        Self { source: Source::Fixed(Arc::new(people)) }
    }

    /// The people as they are now.
    ///
    /// # Errors
    /// [`PeopleError`] if the file cannot be read or is wrong: then nobody is known.
    pub async fn current(&self) -> Result<Arc<PeopleFile>, PeopleError> {
        match &self.source {
            Source::Fixed(people) => Ok(Arc::clone(people)),
            Source::File { path, last } => {
                let (path, last) = (path.clone(), Arc::clone(last));
                let reading = tokio::task::spawn_blocking(move || read(&path, &last));
                reading.await.unwrap_or_else(|_| Err(PeopleError::stopped()))
            }
        }
    }

    /// The person or app of this id.
    pub(super) async fn known(&self, id: PersonId) -> Result<Option<Known>, ForgeError> {
        let people = self.current().await?;
        let person = people.people.iter().find(|entry| entry.id == id).map(PersonEntry::known);
        Ok(person.or_else(|| people.apps.iter().find(|entry| entry.id == id).map(AppEntry::known)))
    }

    /// The person (not an app) of this name.
    pub(super) async fn named(&self, name: &str) -> Result<Option<Known>, ForgeError> {
        let people = self.current().await?;
        Ok(people.people.iter().find(|entry| entry.name == name).map(PersonEntry::known))
    }

    /// The person or app that this token belongs to. Every entry is compared, whichever fits.
    pub(super) async fn holder(&self, token: &str) -> Result<Option<Known>, ForgeError> {
        let people = self.current().await?;
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let hashes = people.people.iter().map(|entry| entry.token_sha256);
        let hashes = hashes.chain(people.apps.iter().map(|entry| entry.token_sha256));
        let mut found = 0_u64;
        for (index, entry) in (1_u64..).zip(hashes) {
            let fits = entry.map_or(Choice::from(0), |entry| entry.ct_eq(&hash));
            found = u64::conditional_select(&found, &index, fits);
        }
        let known =
            people.people.iter().map(PersonEntry::known).chain(people.apps.iter().map(AppEntry::known));
        Ok((1_u64..).zip(known).find(|(index, _)| *index == found).map(|(_, known)| known))
    }

    /// The names of all people, sorted, for choosing one in the demo.
    pub(super) async fn names(&self) -> Result<Vec<String>, ForgeError> {
        let people = self.current().await?;
        let names: BTreeSet<String> = people.people.iter().map(|entry| entry.name.clone()).collect();
        Ok(names.into_iter().collect())
    }
}

impl PersonEntry {
    fn known(&self) -> Known {
        let person = Person { id: self.id, name: self.name.clone(), bot: false };
        Known { person, permission: self.permission, teams: self.teams.clone() }
    }
}

impl AppEntry {
    fn known(&self) -> Known {
        let person = Person { id: self.id, name: self.name.clone(), bot: true };
        Known { person, permission: Permission::Read, teams: BTreeSet::new() }
    }
}

impl fmt::Debug for PersonEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PersonEntry({} {})", self.id, self.name)
    }
}

impl fmt::Debug for AppEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AppEntry({} {})", self.id, self.name)
    }
}

fn read(path: &Path, last: &Mutex<Option<Read>>) -> Result<Arc<PeopleFile>, PeopleError> {
    let bytes = parse::bytes_of(path)?;
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(read) = last.as_ref().filter(|read| read.bytes == bytes) {
        return Ok(Arc::clone(&read.people));
    }
    let people = Arc::new(parse::parse(path, &bytes)?);
    *last = Some(Read { bytes, people: Arc::clone(&people) });
    Ok(people)
}

/// The error itself goes to the log: visitors need not know where the file lies and what stands in it.
impl From<PeopleError> for ForgeError {
    fn from(error: PeopleError) -> Self {
        tracing::error!(%error, "nobody is let in");
        let reason = "the people file cannot be used, the log says why".to_owned();
        Self::Refused { what: "everybody".to_owned(), reason }
    }
}

#[cfg(test)]
mod tests;
