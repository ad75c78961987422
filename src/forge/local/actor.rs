//! Who acts, and how the forge knows that it is them.

use serde::{Deserialize, Serialize};

use super::{LocalForge, people::Known};
use crate::forge::{ForgeError, Permission, Person};

/// Somebody who acts on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The person or app.
    pub person: Person,
    /// How they were identified.
    pub identified: Identified,
}

/// How a person was identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identified {
    /// By the program that embeds the forge.
    Directly,
    /// By a token.
    Token,
    /// By the header of a trusted proxy.
    Proxy,
    /// By choosing a name without any proof, in the demo.
    ChosenName,
}

impl Identified {
    /// The words for people, after "signed in".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Directly => "by the program",
            Self::Token => "by token",
            Self::Proxy => "by the proxy",
            Self::ChosenName => "by choosing a name",
        }
    }
}

impl From<&Person> for Actor {
    fn from(person: &Person) -> Self {
        Self { person: person.clone(), identified: Identified::Directly }
    }
}

impl From<&Self> for Actor {
    fn from(actor: &Self) -> Self {
        actor.clone()
    }
}

impl LocalForge {
    /// The person as the people file knows them now, if they may do what `wanted` allows.
    pub(super) async fn permitted(
        &self,
        actor: &Actor,
        wanted: Permission,
        what: &str,
    ) -> Result<Known, ForgeError> {
        let known = self.people.known(actor.person.id).await?;
        let refused = |reason: String| ForgeError::Refused { what: what.to_owned(), reason };
        let Some(known) = known else {
            return Err(refused(format!("{} is not in the people file", actor.person.name)));
        };
        if known.permission < wanted {
            let reason =
                format!("{} may {}, it takes {}", known.person.name, word(known.permission), word(wanted));
            return Err(refused(reason));
        }
        Ok(known)
    }
}

/// The permission in one word, as the people file spells it.
pub(super) fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::None => "none",
        Permission::Read => "read",
        Permission::Write => "write",
        Permission::Admin => "admin",
    }
}
