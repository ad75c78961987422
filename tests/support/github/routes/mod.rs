//! The operations: each takes a checked call and the world, and answers.

mod app;
mod checks;
mod deployments;
pub mod graphql;
mod issues;
mod people;
mod pulls;
mod refs;

use std::collections::BTreeMap;

use serde_json::Value;

use super::answer::{Answer, Done};
use super::contract::Operation;
use super::json::Show;
use super::model::{Owner, Role};
use super::world::World;

/// A request that the contract found right.
#[derive(Debug)]
pub struct Call {
    pub operation: Operation,
    pub query: BTreeMap<String, String>,
    pub body: Value,
    pub owner: Owner,
    /// The address it was sent to, without and with the path of the API.
    pub host: String,
    pub api: String,
}

impl Call {
    /// A parameter of the path.
    pub fn text(&self, name: &str) -> &str {
        &self.operation.parameters[name]
    }

    /// A parameter of the path that is a number.
    pub fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    pub fn asked(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// Who calls.
    pub fn by(&self, world: &World) -> u64 {
        match self.owner {
            Owner::Person(id) => id,
            Owner::App | Owner::Installation => world.model.app.bot,
        }
    }

    pub fn show<'a>(&'a self, world: &'a World) -> Show<'a> {
        Show { model: &world.model, git: &world.git, host: &self.host, api: &self.api }
    }

    /// The page of a list that was asked for: of so many (30, at most 100), which (the first).
    pub fn cut<T>(&self, all: Vec<T>) -> (Vec<T>, (u32, u32)) {
        let number = |name: &str| self.asked(name).and_then(|text| text.parse::<usize>().ok());
        let size = number("per_page").unwrap_or(30).clamp(1, 100);
        let page = number("page").unwrap_or(1).max(1);
        let last = all.len().div_ceil(size).max(1);
        let pages = (u32::try_from(page).unwrap(), u32::try_from(last).unwrap());
        (all.into_iter().skip((page - 1) * size).take(size).collect(), pages)
    }

    /// That page as an answer.
    pub fn page(&self, all: Vec<Value>) -> Done<Answer> {
        let (part, pages) = self.cut(all);
        Ok(Answer { pages: Some(pages), ..Answer::ok(Value::Array(part)) })
    }
}

/// Answers.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    may_call(world, call).and_then(|()| dispatch(world, call)).unwrap_or_else(|refusal| refusal)
}

fn dispatch(world: &mut World, call: &Call) -> Done<Answer> {
    let (method, template) = call.operation.id.split_once(' ').unwrap();
    let of_repository = template.strip_prefix("/repos/{owner}/{repo}");
    match (method, of_repository.unwrap_or(template)) {
        ("GET", "/app") => app::app(world, call),
        ("GET", "/app/hook/config") => app::hook_config(world, call),
        ("GET", "/app/hook/deliveries") => app::deliveries(world, call),
        ("GET", "/app/hook/deliveries/{delivery_id}") => app::delivery(world, call),
        ("POST", "/app/hook/deliveries/{delivery_id}/attempts") => app::redeliver(world, call),
        ("POST", "/app/installations/{installation_id}/access_tokens") => app::new_token(world, call),
        ("GET", "/installation") => app::installation(world, call),
        ("GET", "/rate_limit") => Ok(Answer::ok(serde_json::json!({}))),
        ("GET", "/orgs/{org}/teams/{team_slug}/memberships/{username}") => people::membership(world, call),
        ("GET", "/user") => people::me(world, call),
        ("GET", "/user/{account_id}") => people::by_id(world, call),
        ("GET", "/users/{username}") => people::by_login(world, call),
        ("GET", "/collaborators/{username}/permission") => people::permission(world, call),
        ("GET", "/pulls") => pulls::list(world, call),
        ("POST", "/pulls") => pulls::open(world, call),
        ("GET", "/pulls/{pull_number}") => pulls::get(world, call),
        ("PATCH", "/pulls/{pull_number}") => pulls::edit(world, call),
        ("GET", "/pulls/{pull_number}/commits") => pulls::commits(world, call),
        ("GET", "/pulls/{pull_number}/files") => pulls::files(world, call),
        ("PUT", "/pulls/{pull_number}/merge") => pulls::merge(world, call),
        ("POST", "/pulls/{pull_number}/requested_reviewers") => pulls::request_reviews(world, call),
        ("GET", "/pulls/{pull_number}/reviews") => pulls::reviews(world, call),
        (_, path) if path.starts_with("/issues") => issues::answer(world, call, method, path),
        (_, path) if path.starts_with("/deployments") => deployments::answer(world, call, method, path),
        ("GET", "/commits") => refs::commits(world, call),
        ("GET", "/commits/{ref}") => refs::commit(world, call),
        ("POST", "/statuses/{sha}") => checks::new_status(world, call),
        (_, path) if path.starts_with("/check-runs") || path.starts_with("/commits") => {
            checks::answer(world, call, method, path)
        }
        (_, path) if of_repository.is_some() => refs::answer(world, call, method, path),
        (_, path) => unreachable!("{method} {path} is in the slice, nobody answers it"),
    }
}

const APP_ONLY: [&str; 3] = ["/app", "/app/", "/repos/{owner}/{repo}/installation"];

fn may_call(world: &World, call: &Call) -> Done<()> {
    let (method, template) = call.operation.id.split_once(' ').unwrap();
    let is_app_only = template == APP_ONLY[0] || template.starts_with(APP_ONLY[1]) || template == APP_ONLY[2];
    if is_app_only != (call.owner == Owner::App) {
        return Err(Answer::refused(401, "A JSON web token could not be decoded"));
    }
    if let Some(repo) = call.operation.parameters.get("repo") {
        let name = format!("{}/{repo}", call.text("owner"));
        let is_source = world.model.sources.contains_key(&name);
        let is_readable = ["{repo}", "{basehead}", "/commits"].iter().any(|end| template.ends_with(end));
        let is_ours = name.eq_ignore_ascii_case(&world.model.full_name());
        if !(is_ours || is_source && is_readable) {
            return Err(Answer::not_found());
        }
        if let Owner::Person(id) = call.owner {
            return may_person(world.model.person(id).role, method, template);
        }
    }
    Ok(())
}

fn may_person(role: Role, method: &str, template: &str) -> Done<()> {
    let talks = ["/issues", "/pulls", "/comments", "/reactions", "/reactions/{reaction_id}"];
    let needed = match method {
        "GET" if template.contains("/collaborators/") => Role::Write,
        "GET" => Role::Read,
        "POST" | "DELETE" if talks.iter().any(|end| template.ends_with(end)) => Role::Read,
        _ => Role::Write,
    };
    match role {
        Role::None => Err(Answer::not_found()),
        role if role < needed => Err(Answer::refused(403, "Must have push access to repository")),
        _ => Ok(()),
    }
}
