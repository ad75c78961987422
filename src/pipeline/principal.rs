//! Somebody in a rule, as text.

use std::fmt;
use std::str::FromStr;

use super::{Principal, RoleName};

/// Longest name of a user, or of each part of a team's name.
const NAME_BYTES_MAX: usize = 100;

/// The text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted `team:<organisation>/<team>`, `user:<login>`, `role:write` or `role:admin`, found `{found}`")]
pub struct PrincipalError {
    found: String,
}

impl FromStr for Principal {
    type Err = PrincipalError;

    fn from_str(text: &str) -> Result<Self, PrincipalError> {
        let parsed = match text.split_once(':') {
            Some(("team", team)) => team.split_once('/').and_then(|(organisation, slug)| {
                (is_name(organisation) && is_name(slug)).then(|| Self::Team(team.to_owned()))
            }),
            Some(("user", user)) => is_name(user).then(|| Self::User(user.to_owned())),
            Some(("role", "write")) => Some(Self::Role(RoleName::Write)),
            Some(("role", "admin")) => Some(Self::Role(RoleName::Admin)),
            _ => None,
        };
        parsed.ok_or_else(|| PrincipalError { found: text.chars().take(100).collect() })
    }
}

/// Letters, digits, `-`, `_`, `.`, a letter or digit first: what forges give to logins and team slugs.
fn is_name(text: &str) -> bool {
    let starts_in_word = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts_in_word
        && text.len() <= NAME_BYTES_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Team(team) => write!(formatter, "team:{team}"),
            Self::User(user) => write!(formatter, "user:{user}"),
            Self::Role(RoleName::Write) => write!(formatter, "role:write"),
            Self::Role(RoleName::Admin) => write!(formatter, "role:admin"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_print_as_they_are_read() {
        let long = format!("user:{}", "a".repeat(100));
        for text in ["team:acme/sre", "team:Acme-Corp/a.b_c", "user:sam", "role:write", "role:admin", &long] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_names_nobody_is_refused() {
        let long = format!("user:{}", "a".repeat(101));
        for text in [
            "",
            "sam",
            "user:",
            "user:a b",
            "user:-a",
            "team:acme",
            "team:acme/",
            "team:/sre",
            "team:a/b/c",
            "role:read",
            "Team:a/b",
            "user:sam[bot]",
            &long,
        ] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }
}
