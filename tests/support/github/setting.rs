//! The repository and the people that a fake begins with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::model::{App, Model, Person, Repository, Role};
use super::upkeep::Upkeep;

/// What a fake begins with.
#[derive(Debug, Clone)]
pub struct Setting {
    pub id: u64,
    pub owner: String,
    pub name: String,
    pub default_branch: String,
    pub app_id: u64,
    pub app_slug: String,
    pub installation_id: u64,
    /// The id of the App's bot, which is `slug[bot]`.
    pub bot_id: u64,
    /// The App's public key, PEM; none: every JWT of the App is believed.
    pub public_key: Option<String>,
    /// Id, login and role; the first one is taken to push what comes by git.
    pub people: Vec<(u64, String, Role)>,
    /// The check of our App that the default branch requires.
    pub required_check: Option<String>,
    /// Other repositories that comparisons may ask for: `owner/name` and where they are.
    pub sources: BTreeMap<String, PathBuf>,
}

impl Setting {
    /// `acme/environments`, an App `lockkeeper`, and these people.
    pub fn new(people: &[(u64, &str, Role)]) -> Self {
        Self {
            id: 5_001,
            owner: "acme".to_owned(),
            name: "environments".to_owned(),
            default_branch: "main".to_owned(),
            app_id: 77,
            app_slug: "lockkeeper".to_owned(),
            installation_id: 7_001,
            bot_id: 9_001,
            public_key: None,
            people: people.iter().map(|(id, login, role)| (*id, (*login).to_owned(), *role)).collect(),
            required_check: None,
            sources: BTreeMap::new(),
        }
    }

    pub(super) fn model(self) -> Model {
        let person = |(id, login, role)| Person { id, login, kind: "User".to_owned(), role };
        let mut people: Vec<Person> = self.people.into_iter().map(person).collect();
        let pusher = people.first().expect("somebody is needed").id;
        let login = format!("{}[bot]", self.app_slug);
        people.push(Person { id: self.bot_id, login, kind: "Bot".to_owned(), role: Role::Write });
        if people.iter().all(|person| person.login != self.owner) {
            let (login, kind) = (self.owner.clone(), "Organization".to_owned());
            people.push(Person { id: self.id + 1, login, kind, role: Role::None });
        }
        Model {
            repository: Repository {
                id: self.id,
                owner: self.owner,
                name: self.name,
                default_branch: self.default_branch,
            },
            app: App {
                id: self.app_id,
                slug: self.app_slug,
                installation: self.installation_id,
                bot: self.bot_id,
                public_key: self.public_key,
            },
            people,
            teams: BTreeMap::new(),
            pusher,
            threads: BTreeMap::new(),
            comments: BTreeMap::new(),
            reviews: BTreeMap::new(),
            reactions: BTreeMap::new(),
            checks: BTreeMap::new(),
            statuses: BTreeMap::new(),
            deployments: BTreeMap::new(),
            tokens: BTreeMap::new(),
            deliveries: Vec::new(),
            queue: Vec::new(),
            heads: BTreeMap::new(),
            required_check: self.required_check,
            signatures: None,
            adds_a_line: false,
            signed: BTreeSet::new(),
            sources: self.sources,
            upkeep: Upkeep::default(),
            last_ids: BTreeMap::new(),
            last_number: 0,
        }
    }
}
