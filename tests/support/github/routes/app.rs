//! The App itself: its tokens and its hook.

use jiff::ToSpan as _;
use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::json::put;
use super::super::model::{Delivery, Owner, Table, Token};
use super::super::world::World;
use super::Call;

pub(super) fn app(world: &World, call: &Call) -> Done<Answer> {
    Ok(Answer::ok(call.show(world).app()))
}

pub(super) fn installation(world: &World, call: &Call) -> Done<Answer> {
    if !world.model.upkeep.is_installed {
        return Err(Answer::not_found());
    }
    Ok(Answer::ok(call.show(world).installation()))
}

pub(super) fn hook_config(world: &World, call: &Call) -> Done<Answer> {
    let mut config = json!({
        "content_type": "json", "insecure_ssl": "0", "secret": "********", "url": format!("{}/hook", call.host)
    });
    put(&mut config, world.model.upkeep.hook.clone());
    config.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    Ok(Answer::ok(config))
}

/// A token for the installation, for an hour.
pub(super) fn new_token(world: &mut World, call: &Call) -> Done<Answer> {
    if call.number("installation_id") != world.model.app.installation {
        return Err(Answer::not_found());
    }
    let expires_at = world.now().checked_add(1.hour()).unwrap();
    let token = format!("ghs_{:036}", world.model.next_id(Table::Tokens));
    let kept = Token { owner: Owner::Installation, expires_at: Some(expires_at) };
    world.model.tokens.insert(token.clone(), kept);
    let repositories = json!([call.show(world).repository()]);
    let permissions = &call.show(world).installation()["permissions"];
    Ok(Answer::created(json!({
        "token": token, "expires_at": expires_at, "permissions": permissions, "repository_selection": "selected",
        "repositories": repositories,
    })))
}

/// The deliveries, latest first; a cursor is the id of the first one of the next page.
pub(super) fn deliveries(world: &World, call: &Call) -> Done<Answer> {
    let size = call.asked("per_page").and_then(|text| text.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let cursor = call.asked("cursor").and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let is_asked = |delivery: &&Delivery| match call.asked("status") {
        Some("success") => delivery.status_code < 400 && delivery.status_code > 0,
        Some(_) => delivery.status_code >= 400 || delivery.status_code == 0,
        None => true,
    };
    let all = world.model.deliveries.iter().rev().filter(|delivery| delivery.id <= cursor).filter(is_asked);
    let mut all: Vec<&Delivery> = all.take(size + 1).collect();
    let next = if all.len() > size { all.pop().map(|delivery| delivery.id) } else { None };
    let shown: Vec<Value> = all.into_iter().map(|delivery| show(world, delivery)).collect();
    let mut answer = Answer::ok(json!(shown));
    if let Some(next) = next {
        let link = format!("<{}/app/hook/deliveries?per_page={size}&cursor={next}>; rel=\"next\"", call.api);
        answer.headers.push(("link", link));
    }
    Ok(answer)
}

fn show(world: &World, delivery: &Delivery) -> Value {
    let status = match delivery.status_code {
        0 => "timed out",
        200..400 => "OK",
        _ => "Invalid HTTP Response",
    };
    json!({
        "id": delivery.id, "guid": delivery.guid, "delivered_at": delivery.at, "redelivery": delivery.is_redelivery,
        "duration": 0.1, "status": status, "status_code": delivery.status_code, "event": delivery.event,
        "action": delivery.action, "installation_id": world.model.app.installation,
        "repository_id": world.model.repository.id,
    })
}

/// One delivery, with what was sent.
pub(super) fn delivery(world: &World, call: &Call) -> Done<Answer> {
    let id = call.number("delivery_id");
    let found = world.model.deliveries.iter().find(|delivery| delivery.id == id);
    let found = found.ok_or_else(Answer::not_found)?;
    let payload: Value = serde_json::from_str(&found.body).unwrap();
    let headers = json!({"X-GitHub-Event": found.event, "X-GitHub-Delivery": found.guid});
    let mut shown = show(world, found);
    let exchange = json!({
        "request": {"headers": headers, "payload": payload}, "response": {"headers": {}, "payload": "ok"}
    });
    put(&mut shown, exchange);
    Ok(Answer::ok(shown))
}

/// The same event again, with the same guid.
pub(super) fn redeliver(world: &mut World, call: &Call) -> Done<Answer> {
    let id = call.number("delivery_id");
    let found = world.model.deliveries.iter().find(|delivery| delivery.id == id).cloned();
    let (next, at) = (world.model.next_id(Table::Deliveries), world.now());
    let again = found.ok_or_else(Answer::not_found)?;
    let again = Delivery { id: next, at, is_redelivery: true, status_code: 0, ..again };
    world.model.queue.push(next);
    world.model.deliveries.push(again);
    Ok(Answer::new(202, json!({})))
}
