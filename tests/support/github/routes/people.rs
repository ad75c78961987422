//! People, their roles and teams.

use serde_json::json;

use super::super::answer::{Answer, Done};
use super::super::model::{Membership, Owner, Role};
use super::super::world::World;
use super::Call;

/// The person of a token; an installation is nobody.
pub(super) fn me(world: &World, call: &Call) -> Done<Answer> {
    match call.owner {
        Owner::Person(id) => Ok(Answer::ok(call.show(world).user(id))),
        Owner::App | Owner::Installation => {
            Err(Answer::refused(403, "Resource not accessible by integration"))
        }
    }
}

pub(super) fn by_id(world: &World, call: &Call) -> Done<Answer> {
    let id = call.number("account_id");
    let found = world.model.people.iter().find(|person| person.id == id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(call.show(world).user(found.id)))
}

pub(super) fn by_login(world: &World, call: &Call) -> Done<Answer> {
    let found = world.model.by_login(call.text("username")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(call.show(world).user(found.id)))
}

/// A person who is no collaborator has the permission `none`; a login that is nobody's is not found.
pub(super) fn permission(world: &World, call: &Call) -> Done<Answer> {
    let login = call.text("username");
    let Some(person) = world.model.by_login(login) else {
        return Err(Answer::refused(404, &format!("{login} is not a user")));
    };
    let role = person.role;
    let mut user = call.show(world).user(person.id);
    user["role_name"] = json!(role.word());
    user["permissions"] = json!({
        "admin": role == Role::Admin, "maintain": role >= Role::Maintain, "push": role >= Role::Write,
        "triage": role >= Role::Triage, "pull": role >= Role::Read,
    });
    Ok(Answer::ok(json!({"permission": role.permission(), "role_name": role.word(), "user": user})))
}

pub(super) fn membership(world: &World, call: &Call) -> Done<Answer> {
    let (team, login) = (call.text("team_slug"), call.text("username"));
    let is_ours = call.text("org").eq_ignore_ascii_case(&world.model.repository.owner);
    let person = world.model.by_login(login).map(|person| person.id);
    // Members of the teams below count: `sre/berlin` is one of `sre`.
    let below = format!("{team}/");
    let is_it = |name: &str| is_ours && (name == team || name.starts_with(&below));
    let mut teams = world.model.teams.iter().filter(|(name, _)| is_it(name));
    let membership = person.and_then(|id| teams.find_map(|(_, members)| members.get(&id)));
    let state = match membership.ok_or_else(Answer::not_found)? {
        Membership::Active => "active",
        Membership::Pending => "pending",
    };
    let url = format!("{}/organizations/1/team/1/memberships/{login}", call.api);
    Ok(Answer::ok(json!({"url": url, "role": "member", "state": state})))
}
