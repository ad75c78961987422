//! Issues, comments, reactions and labels; to GitHub a pull request is an issue too.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::model::{Comment, Reaction, Thread};
use super::super::world::World;
use super::Call;

pub(super) fn answer(world: &mut World, call: &Call, method: &str, path: &str) -> Done<Answer> {
    match (method, path) {
        ("GET", "/issues") => list(world, call),
        ("POST", "/issues") => open(world, call),
        ("GET", "/issues/{issue_number}") => shown(world, call).map(Answer::ok),
        ("PATCH", "/issues/{issue_number}") => edit(world, call),
        ("POST", "/issues/{issue_number}/labels") => label(world, call),
        ("GET", "/issues/{issue_number}/comments") => comments_of(world, call),
        ("POST", "/issues/{issue_number}/comments") => comment(world, call),
        ("GET", "/issues/comments") => comments(world, call),
        ("GET", "/issues/comments/{comment_id}") => one_comment(world, call).map(Answer::ok),
        ("PATCH", "/issues/comments/{comment_id}") => {
            let body = call.body["body"].as_str().unwrap_or("");
            world.edit_comment(call.by(world), call.number("comment_id"), body)?;
            one_comment(world, call).map(Answer::ok)
        }
        ("GET", "/issues/comments/{comment_id}/reactions") => reactions(world, call),
        ("POST", "/issues/comments/{comment_id}/reactions") => react(world, call),
        _ => unreact(world, call),
    }
}

fn since(call: &Call) -> Option<Timestamp> {
    call.asked("since").and_then(|text| text.parse().ok())
}

/// With pull requests among them, by default the open ones, latest first.
fn list(world: &World, call: &Call) -> Done<Answer> {
    let state = call.asked("state").unwrap_or("open");
    let is_asked = |thread: &&Thread| {
        (state == "all" || thread.state() == state)
            && since(call).is_none_or(|since| thread.updated_at >= since)
            && call.asked("creator").is_none_or(|login| world.model.person(thread.author).login == login)
            && call
                .asked("labels")
                .is_none_or(|labels| labels.split(',').all(|name| thread.labels.contains(name)))
    };
    let mut found: Vec<&Thread> = world.model.threads.values().filter(is_asked).collect();
    if call.asked("sort") == Some("updated") {
        found.sort_by_key(|thread| thread.updated_at);
    }
    if call.asked("direction") != Some("asc") {
        found.reverse();
    }
    let show = call.show(world);
    call.page(found.into_iter().map(|thread| show.issue(thread)).collect())
}

fn words(value: &Value) -> Vec<String> {
    let word = |word: &Value| word.as_str().or(word["name"].as_str()).map(str::to_owned);
    value.as_array().into_iter().flatten().filter_map(word).collect()
}

fn open(world: &mut World, call: &Call) -> Done<Answer> {
    let title = call.body["title"].as_str().unwrap_or("").to_owned();
    let body = call.body["body"].as_str().map(str::to_owned);
    let by = call.by(world);
    let number = world.new_thread(by, &title, body, None);
    world.label(by, number, &words(&call.body["labels"]))?;
    Ok(Answer::created(call.show(world).issue(&world.model.threads[&number])))
}

fn thread<'a>(world: &'a World, call: &Call) -> Done<&'a Thread> {
    world.model.threads.get(&call.number("issue_number")).ok_or_else(Answer::not_found)
}

fn shown(world: &World, call: &Call) -> Done<Value> {
    Ok(call.show(world).issue(thread(world, call)?))
}

fn edit(world: &mut World, call: &Call) -> Done<Answer> {
    let number = call.number("issue_number");
    thread(world, call)?;
    let by = call.by(world);
    world.edit_thread(by, number, &call.body)?;
    let thread = world.model.threads.get_mut(&number).unwrap();
    if call.body["labels"].is_array() {
        thread.labels = words(&call.body["labels"]).into_iter().collect();
    }
    if let Some(reason) = call.body["state_reason"].as_str() {
        thread.state_reason = Some(reason.to_owned());
    }
    shown(world, call).map(Answer::ok)
}

fn label(world: &mut World, call: &Call) -> Done<Answer> {
    let number = call.number("issue_number");
    let labels = if call.body.is_array() { words(&call.body) } else { words(&call.body["labels"]) };
    world.label(call.by(world), number, &labels)?;
    let show = call.show(world);
    Ok(Answer::ok(thread(world, call)?.labels.iter().map(|name| show.label(name)).collect()))
}

fn comments_of(world: &World, call: &Call) -> Done<Answer> {
    let number = thread(world, call)?.number;
    let is_it = |comment: &&Comment| {
        comment.thread == number && since(call).is_none_or(|since| comment.updated_at >= since)
    };
    let show = call.show(world);
    call.page(world.model.comments.values().filter(is_it).map(|comment| show.comment(comment)).collect())
}

/// Of all threads, by id unless another order is asked for.
fn comments(world: &World, call: &Call) -> Done<Answer> {
    let is_it = |comment: &&Comment| since(call).is_none_or(|since| comment.updated_at >= since);
    let mut found: Vec<&Comment> = world.model.comments.values().filter(is_it).collect();
    if call.asked("sort") == Some("updated") {
        found.sort_by_key(|comment| comment.updated_at);
    }
    // The direction is ignored without a sort; with one, it is descending unless asked otherwise.
    if call.asked("sort").is_some() && call.asked("direction") != Some("asc") {
        found.reverse();
    }
    let show = call.show(world);
    call.page(found.into_iter().map(|comment| show.comment(comment)).collect())
}

fn comment(world: &mut World, call: &Call) -> Done<Answer> {
    let number = thread(world, call)?.number;
    let id = world.comment(call.by(world), number, call.body["body"].as_str().unwrap_or(""))?;
    Ok(Answer::created(call.show(world).comment(&world.model.comments[&id])))
}

fn one_comment(world: &World, call: &Call) -> Done<Value> {
    let found = world.model.comments.get(&call.number("comment_id")).ok_or_else(Answer::not_found)?;
    Ok(call.show(world).comment(found))
}

fn reactions(world: &World, call: &Call) -> Done<Answer> {
    one_comment(world, call)?;
    let comment = call.number("comment_id");
    let is_it = |reaction: &&Reaction| {
        reaction.comment == comment && call.asked("content").is_none_or(|content| content == reaction.content)
    };
    let show = call.show(world);
    call.page(world.model.reactions.values().filter(is_it).map(|reaction| show.reaction(reaction)).collect())
}

fn react(world: &mut World, call: &Call) -> Done<Answer> {
    let content = call.body["content"].as_str().unwrap_or("");
    let (id, is_new) = world.react(call.by(world), call.number("comment_id"), content)?;
    let shown = call.show(world).reaction(&world.model.reactions[&id]);
    Ok(Answer::new(if is_new { 201 } else { 200 }, shown))
}

fn unreact(world: &mut World, call: &Call) -> Done<Answer> {
    let id = call.number("reaction_id");
    let found = world.model.reactions.get(&id).filter(|found| found.comment == call.number("comment_id"));
    if found.ok_or_else(Answer::not_found)?.author != call.by(world) {
        return Err(Answer::refused(403, "Resource not accessible by integration"));
    }
    world.model.reactions.remove(&id);
    Ok(Answer::new(204, json!(null)))
}
