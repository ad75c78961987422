//! Pull requests.

use serde_json::{Value, json};

use super::super::acts::MergeRequest;
use super::super::answer::{Answer, Done};
use super::super::json::Show;
use super::super::model::{Pull, Thread};
use super::super::world::World;
use super::Call;

/// In the order and of the state asked for: by default the open ones, latest first.
pub(super) fn list(world: &World, call: &Call) -> Done<Answer> {
    let state = call.asked("state").unwrap_or("open");
    let label = |pull: &Pull| format!("{}:{}", world.model.repository.owner, pull.head_branch);
    let is_asked = |thread: &Thread, pull: &Pull| {
        (state == "all" || thread.state() == state)
            && call.asked("base").is_none_or(|base| base == pull.base_branch)
            // Without an owner GitHub does not look at the head at all.
            && call.asked("head").is_none_or(|head| !head.contains(':') || head == label(pull))
    };
    let pulls = world.model.threads.values().filter_map(|thread| Some((thread, thread.pull.as_ref()?)));
    let mut found: Vec<_> = pulls.filter(|(thread, pull)| is_asked(thread, pull)).collect();
    if call.asked("sort") == Some("updated") {
        found.sort_by_key(|(thread, _)| thread.updated_at);
    }
    let is_created = matches!(call.asked("sort"), None | Some("created"));
    let direction = call.asked("direction").unwrap_or(if is_created { "desc" } else { "asc" });
    if direction == "desc" {
        found.reverse();
    }
    let show = call.show(world);
    call.page(found.into_iter().map(|(thread, pull)| show.listed_pull(thread, pull)).collect())
}

pub(super) fn open(world: &mut World, call: &Call) -> Done<Answer> {
    let text = |name: &str| call.body[name].as_str();
    let body = text("body").map(str::to_owned);
    let is_draft = call.body["draft"] == true;
    let title =
        text("title").ok_or_else(|| Answer::invalid("PullRequest", Some("title"), "missing_field", ""))?;
    let (head, base) = (text("head").unwrap_or(""), text("base").unwrap_or(""));
    let number = world.open(call.by(world), head, base, title, body, is_draft)?;
    shown(world, call, number).map(Answer::created)
}

/// Looking starts the computation of `mergeable`.
pub(super) fn get(world: &mut World, call: &Call) -> Done<Answer> {
    let number = call.number("pull_number");
    world.look_at(number)?;
    shown(world, call, number).map(Answer::ok)
}

fn shown(world: &World, call: &Call, number: u64) -> Done<Value> {
    let (thread, pull) = world.pull(number)?;
    Ok(call.show(world).pull(thread, pull))
}

pub(super) fn edit(world: &mut World, call: &Call) -> Done<Answer> {
    let number = call.number("pull_number");
    world.pull(number)?;
    world.edit_thread(call.by(world), number, &call.body)?;
    shown(world, call, number).map(Answer::ok)
}

pub(super) fn merge(world: &mut World, call: &Call) -> Done<Answer> {
    let text = |name: &str| call.body[name].as_str().map(str::to_owned);
    let method = text("merge_method").unwrap_or_else(|| "merge".to_owned());
    if method == "rebase" {
        return Err(Answer::refused(405, "Rebase merges are not allowed on this repository."));
    }
    let request = MergeRequest {
        head: text("sha"),
        title: text("commit_title"),
        message: text("commit_message"),
        squash: method == "squash",
    };
    let commit = world.merge(call.by(world), call.number("pull_number"), &request)?;
    Ok(Answer::ok(json!({"sha": commit, "merged": true, "message": "Pull Request successfully merged"})))
}

pub(super) fn request_reviews(world: &mut World, call: &Call) -> Done<Answer> {
    let words = |name: &str| -> Vec<String> {
        call.body[name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    let number = call.number("pull_number");
    let (people, teams) = (words("reviewers"), words("team_reviewers"));
    world.request_reviews(call.by(world), number, &people, &teams)?;
    let (thread, pull) = world.pull(number)?;
    Ok(Answer::created(call.show(world).listed_pull(thread, pull)))
}

pub(super) fn reviews(world: &World, call: &Call) -> Done<Answer> {
    let number = call.number("pull_number");
    world.pull(number)?;
    let show = call.show(world);
    let of_it = world.model.reviews.values().filter(|review| review.thread == number);
    call.page(of_it.map(|review| show.review(review)).collect())
}

pub(super) fn commits(world: &World, call: &Call) -> Done<Answer> {
    let (_, pull) = world.pull(call.number("pull_number"))?;
    let show = call.show(world);
    call.page(world.git.commits(&pull.base, &pull.head).iter().map(|commit| show.commit(commit)).collect())
}

pub(super) fn files(world: &World, call: &Call) -> Done<Answer> {
    let (_, pull) = world.pull(call.number("pull_number"))?;
    call.page(world.git.changed(&pull.base, &pull.head).iter().map(Show::file).collect())
}
