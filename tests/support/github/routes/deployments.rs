//! Deployments, with the traps of their defaults.

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::git::Signature;
use super::super::model::{Deployment, DeploymentStatus, Table};
use super::super::world::World;
use super::Call;

pub(super) fn answer(world: &mut World, call: &Call, method: &str, path: &str) -> Done<Answer> {
    match (method, path) {
        ("GET", "/deployments") => list(world, call),
        ("POST", "/deployments") => create(world, call),
        ("GET", _) => statuses(world, call),
        _ => create_status(world, call),
    }
}

/// Latest first.
fn list(world: &World, call: &Call) -> Done<Answer> {
    let is_asked = |of: &&Deployment| {
        [("sha", &of.commit), ("ref", &of.reference), ("task", &of.task), ("environment", &of.environment)]
            .into_iter()
            .all(|(name, found)| call.asked(name).is_none_or(|asked| asked == found))
    };
    let show = call.show(world);
    call.page(world.model.deployments.values().rev().filter(is_asked).map(|of| show.deployment(of)).collect())
}

fn create(world: &mut World, call: &Call) -> Done<Answer> {
    let text = |name: &str| call.body[name].as_str().map(str::to_owned);
    let reference = text("ref").unwrap_or_default();
    let no_ref = || Answer::refused(422, &format!("No ref found for: {reference}"));
    let commit = world.git.commit(&reference).ok_or_else(no_ref)?;
    if call.body["auto_merge"] != false && merged_default(world, call, &reference, &commit)? {
        let message =
            format!("Auto-merged {} into {reference} on deployment.", world.model.repository.default_branch);
        return Ok(Answer::new(202, json!({ "message": message })));
    }
    contexts_are_right(world, call, &commit)?;
    let environment = text("environment").unwrap_or_else(|| "production".to_owned());
    let is_production = call.body["production_environment"].as_bool().unwrap_or(environment == "production");
    let id = world.model.next_id(Table::Deployments);
    let deployment = Deployment {
        id,
        commit,
        reference: reference.clone(),
        environment,
        task: text("task").unwrap_or_else(|| "deploy".to_owned()),
        description: text("description"),
        payload: Some(call.body["payload"].clone())
            .filter(|payload| !payload.is_null())
            .unwrap_or_else(|| json!({})),
        is_transient: call.body["transient_environment"] == true,
        is_production,
        author: call.by(world),
        at: world.now(),
        statuses: Vec::new(),
    };
    world.model.deployments.insert(id, deployment);
    Ok(Answer::created(call.show(world).deployment(&world.model.deployments[&id])))
}

/// The first trap: unless told otherwise, GitHub merges the default branch into a branch that lacks some of it.
fn merged_default(world: &mut World, call: &Call, branch: &str, commit: &str) -> Done<bool> {
    let Some(default) = world.model.heads.get(&world.model.repository.default_branch).cloned() else {
        return Ok(false);
    };
    if !world.model.heads.contains_key(branch) || world.git.is_ancestor(&default, commit) {
        return Ok(false);
    }
    let conflict = || Answer::refused(409, &format!("Conflict merging the default branch into {branch}."));
    let tree = world.git.merged_tree(commit, &default).ok_or_else(conflict)?;
    let by = world.model.person(call.by(world));
    let author = Signature { name: by.login.clone(), email: by.email(), at: world.now() };
    let message = format!("Merge the default branch into {branch}");
    let merge = world.git.write_commit(&tree, &[commit, &default], &message, &author);
    world.git.update(&format!("refs/heads/{branch}"), &merge, commit).map_err(|_| conflict())?;
    world.look_after(call.by(world));
    Ok(true)
}

/// The second trap: unless told otherwise, every context must be green.
fn contexts_are_right(world: &World, call: &Call, commit: &str) -> Done<()> {
    let wanted = call.body["required_contexts"].as_array();
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted.iter().any(|found| found == name));
    let good = |conclusion: Option<&str>| matches!(conclusion, Some("success" | "neutral" | "skipped"));
    let checks = world.latest_checks(commit).into_iter().map(|id| &world.model.checks[&id]);
    let mut contexts: Vec<(&str, bool)> =
        checks.map(|check| (check.name.as_str(), good(check.conclusion.as_deref()))).collect();
    for status in world.model.statuses.values().filter(|status| status.head == commit) {
        contexts.retain(|(name, _)| *name != status.context);
        contexts.push((&status.context, status.state == "success"));
    }
    let names = wanted.into_iter().flatten().filter_map(Value::as_str);
    let missing = names.filter(|name| contexts.iter().all(|(found, _)| found != name)).count();
    if missing > 0 || contexts.iter().any(|(name, is_good)| is_wanted(name) && !is_good) {
        return Err(Answer::refused(
            409,
            &format!("Conflict: Commit status checks failed for {}.", call.body["ref"]),
        ));
    }
    Ok(())
}

fn statuses(world: &World, call: &Call) -> Done<Answer> {
    let found = world.model.deployments.get(&call.number("deployment_id")).ok_or_else(Answer::not_found)?;
    let show = call.show(world);
    call.page(found.statuses.iter().rev().map(|status| show.deployment_status(found, status)).collect())
}

/// A success makes the earlier deployments of the environment inactive, unless they are of production.
fn create_status(world: &mut World, call: &Call) -> Done<Answer> {
    let id = call.number("deployment_id");
    let text = |name: &str| call.body[name].as_str().unwrap_or("").to_owned();
    let found = world.model.deployments.get(&id).ok_or_else(Answer::not_found)?;
    let environment = call.body["environment"].as_str().unwrap_or(&found.environment).to_owned();
    let status = DeploymentStatus {
        id: world.model.next_id(Table::Statuses),
        state: text("state"),
        description: text("description"),
        environment: environment.clone(),
        log_url: Some(text("log_url")).filter(|url| !url.is_empty()).unwrap_or_else(|| text("target_url")),
        environment_url: text("environment_url"),
        author: call.by(world),
        at: world.now(),
    };
    let is_success = status.state == "success" && call.body["auto_inactive"] != false;
    let mut inactive = Vec::new();
    for (other, earlier) in world.model.deployments.range(..id) {
        let is_over = earlier.environment == environment && !earlier.is_transient && !earlier.is_production;
        let was_active = earlier.statuses.last().is_some_and(|last| last.state == "success");
        if is_success && *other != id && is_over && was_active {
            inactive.push(*other);
        }
    }
    for other in inactive {
        let id = world.model.next_id(Table::Statuses);
        let ended = DeploymentStatus { id, state: "inactive".to_owned(), ..status.clone() };
        world.model.deployments.get_mut(&other).unwrap().statuses.push(ended);
    }
    world.model.deployments.get_mut(&id).unwrap().statuses.push(status);
    let found = &world.model.deployments[&id];
    Ok(Answer::created(call.show(world).deployment_status(found, found.statuses.last().unwrap())))
}
