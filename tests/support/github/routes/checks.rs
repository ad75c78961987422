//! Check runs and commit statuses.

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::model::{CheckRun, Owner, Status};
use super::super::world::World;
use super::Call;

pub(super) fn answer(world: &mut World, call: &Call, method: &str, path: &str) -> Done<Answer> {
    match (method, path) {
        // No permission of a fine-grained token lets it read them.
        ("GET", "/commits/{ref}/check-runs") if call.owner != Owner::Installation => {
            Err(Answer::refused(403, "Resource not accessible by personal access token"))
        }
        ("GET", "/commits/{ref}/check-runs") => of_commit(world, call),
        ("GET", "/commits/{ref}/statuses") => statuses(world, call),
        ("GET", _) => combined(world, call),
        (_, _) if call.owner != Owner::Installation => {
            Err(Answer::refused(403, "You must authenticate via a GitHub App."))
        }
        ("POST", _) => {
            let id = world.create_check(&world.our_report(), &call.body)?;
            shown(world, call, id).map(Answer::created)
        }
        _ => {
            let id = call.number("check_run_id");
            let is_ours = world.model.checks.get(&id).is_some_and(|check| check.app_id == world.model.app.id);
            if !is_ours {
                return Err(Answer::not_found());
            }
            world.update_check(id, &call.body)?;
            shown(world, call, id).map(Answer::ok)
        }
    }
}

fn shown(world: &World, call: &Call, id: u64) -> Done<Value> {
    Ok(call.show(world).check(&world.model.checks[&id]))
}

fn commit(world: &World, call: &Call) -> Done<String> {
    let name = call.text("ref");
    world.git.commit(name).ok_or_else(|| Answer::refused(422, &format!("No commit found for SHA: {name}")))
}

/// The latest of each app and name, unless all are asked for.
fn of_commit(world: &World, call: &Call) -> Done<Answer> {
    let head = commit(world, call)?;
    let latest = world.latest_checks(&head);
    let app = call.asked("app_id").and_then(|text| text.parse::<u64>().ok());
    let is_asked = |check: &&CheckRun| {
        check.head == head
            && (call.asked("filter") == Some("all") || latest.contains(&check.id))
            && call.asked("check_name").is_none_or(|name| name == check.name)
            && call.asked("status").is_none_or(|status| status == check.status)
            && app.is_none_or(|app| app == check.app_id)
    };
    let show = call.show(world);
    let found: Vec<Value> =
        world.model.checks.values().rev().filter(is_asked).map(|check| show.check(check)).collect();
    let count = found.len();
    let (part, pages) = call.cut(found);
    Ok(Answer { pages: Some(pages), ..Answer::ok(json!({"total_count": count, "check_runs": part})) })
}

/// All that were ever set on the commit, latest first.
fn statuses(world: &World, call: &Call) -> Done<Answer> {
    let head = world.git.commit(call.text("ref")).ok_or_else(Answer::not_found)?;
    let show = call.show(world);
    let of_it = world.model.statuses.values().rev().filter(|status| status.head == head);
    call.page(of_it.map(|status| show.status(status)).collect())
}

pub(super) fn new_status(world: &mut World, call: &Call) -> Done<Answer> {
    let head = call.text("sha").to_owned();
    if head.len() != 40 || world.git.commit(&head).is_none() {
        return Err(Answer::refused(422, &format!("No commit found for SHA: {head}")));
    }
    let text = |name: &str| call.body[name].as_str();
    let description = text("description").map(str::to_owned);
    if description.as_deref().is_some_and(|text| text.chars().count() > 140) {
        return Err(Answer::invalid("Status", Some("description"), "custom", "description is too long"));
    }
    let context = text("context").unwrap_or("default");
    let by = call.by(world);
    let id = world.set_status(by, &head, context, text("state").unwrap_or_default(), description);
    Ok(Answer::created(call.show(world).status(&world.model.statuses[&id])))
}

/// The latest of each context, and what they say together.
fn combined(world: &World, call: &Call) -> Done<Answer> {
    let head = world.git.commit(call.text("ref")).ok_or_else(Answer::not_found)?;
    let mut latest: Vec<&Status> = Vec::new();
    for status in world.model.statuses.values().rev().filter(|status| status.head == head) {
        if latest.iter().all(|found| found.context != status.context) {
            latest.push(status);
        }
    }
    let has = |word: &str| latest.iter().any(|status| status.state == word);
    let state = match () {
        () if has("failure") || has("error") => "failure",
        () if has("pending") || latest.is_empty() => "pending",
        () => "success",
    };
    let show = call.show(world);
    let count = latest.len();
    let (part, pages) = call.cut(latest.into_iter().map(|status| show.status(status)).collect());
    let body = json!({
        "state": state, "sha": head, "total_count": count, "statuses": part, "repository": show.repository(),
        "commit_url": show.at(&format!("/commits/{head}")), "url": show.at(&format!("/commits/{head}/status")),
    });
    Ok(Answer { pages: Some(pages), ..Answer::ok(body) })
}
