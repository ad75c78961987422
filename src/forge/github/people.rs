//! Who we are, and who people are now: asked live, by numeric id. A login may be another person's by tomorrow.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use http::Method;
use serde::Deserialize;

use super::answer::named;
use super::wire::{CollaboratorPermission, Membership, User};
use super::{GitHubForge, Me};
use crate::forge::{ForgeError, Permission, Person, PersonId, Standing};

#[derive(Deserialize)]
struct OwnApp {
    id: u64,
    slug: String,
}

impl GitHubForge {
    /// Who we are; asked once.
    pub(super) async fn me(&self) -> Result<Me, ForgeError> {
        self.me.get_or_try_init(|| self.ask_me()).await.cloned()
    }

    async fn ask_me(&self) -> Result<Me, ForgeError> {
        let Some(app) = self.client.as_app::<OwnApp>("/app").await else {
            let user: User = self.client.get("/user").await?;
            return Ok(Me { person: user.into(), app_id: None });
        };
        let OwnApp { id, slug } = app?;
        // An App writes as a user of its own, whose id is not the App's.
        let user: User = self.client.get(&format!("/users/{slug}%5Bbot%5D")).await?;
        Ok(Me { person: user.into(), app_id: Some(id) })
    }

    pub(super) async fn standing_of(
        &self,
        id: PersonId,
        teams: &BTreeSet<String>,
    ) -> Result<Standing, ForgeError> {
        let nobody =
            |person: Person| Standing { person, permission: Permission::None, teams: BTreeSet::new() };
        let user: User = match self.client.get(&format!("/user/{id}")).await {
            Ok(user) => user,
            Err(ForgeError::NotFound { .. }) => {
                return Ok(nobody(Person { id, name: format!("person {id}"), bot: false }));
            }
            Err(error) => return Err(error),
        };
        let person = Person::from(user);
        if person.id != id || person.bot {
            return Ok(nobody(Person { id, ..person }));
        }
        let asked = teams.iter().map(|team| self.is_member(team, &person));
        let (permission, member) = futures::try_join!(self.permission(&person), try_join_all(asked))?;
        let teams =
            teams.iter().zip(member).filter(|(_, is_member)| *is_member).map(|(team, _)| team.clone());
        Ok(Standing { teams: teams.collect(), person, permission })
    }

    /// Source: GitHub's REST API, "Get repository permissions for a user": `permission` is the base role; `maintain`
    /// reads as write there and `triage` as read, and a custom role as what it is built on.
    async fn permission(&self, person: &Person) -> Result<Permission, ForgeError> {
        let path = self.path(format!("collaborators/{}/permission", person.name));
        let found: CollaboratorPermission = match self.client.get(&path).await {
            Ok(found) => found,
            Err(ForgeError::NotFound { .. }) => return Ok(Permission::None),
            Err(error @ ForgeError::Refused { .. }) => {
                tracing::warn!(%error, "GitHub does not say what somebody may do; it counts as nothing");
                return Ok(Permission::None);
            }
            Err(error) => return Err(error),
        };
        // The login may have gone to somebody else between the two questions.
        if found.user.is_none_or(|user| user.id != person.id) {
            return Ok(Permission::None);
        }
        Ok(match found.permission.as_str() {
            "admin" => Permission::Admin,
            "write" => Permission::Write,
            "read" => Permission::Read,
            _ => Permission::None,
        })
    }

    /// Teams are named `organisation/slug`; members of the teams below count, as GitHub counts them.
    async fn is_member(&self, team: &str, person: &Person) -> Result<bool, ForgeError> {
        let Some((organisation, slug)) = team.split_once('/') else { return Ok(false) };
        let is_name =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name(organisation) || !is_name(slug) {
            return Ok(false);
        }
        let path = format!("/orgs/{organisation}/teams/{slug}/memberships/{}", person.name);
        match self.client.get::<Membership>(&path).await {
            Ok(membership) => Ok(membership.state == "active"),
            Err(ForgeError::NotFound { .. }) => Ok(false),
            // The App lacks `Members: read`, or the team is of another organisation: nobody is in it as far as we know.
            Err(error @ ForgeError::Refused { .. }) => {
                tracing::warn!(team, %error, "GitHub does not say who is in a team; it counts as empty");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Whose token this is.
    pub(super) async fn holder(&self, token: &str) -> Result<Option<Person>, ForgeError> {
        if token.is_empty() || token.chars().any(|c| !c.is_ascii_graphic()) {
            return Ok(None);
        }
        let answer = self.client.send_with(token, &Method::GET, "/user", None, None).await?;
        if answer.status == http::StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        let user: User = answer.read(&named(&Method::GET, "/user"))?;
        Ok(Some(user.into()))
    }
}
