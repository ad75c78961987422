//! The repository, its branches and references, and what lies between two commits.

use serde_json::{Value, json};

use super::super::answer::{Answer, Done};
use super::super::git::Git;
use super::super::json::{Show, put};
use super::super::model::Signatures;
use super::super::world::World;
use super::Call;

const FILES_MAX: usize = 300;

pub(super) fn answer(world: &mut World, call: &Call, method: &str, path: &str) -> Done<Answer> {
    match (method, path) {
        ("GET", "") => repository(world, call),
        ("GET", "/branches/{branch}") => branch(world, call),
        ("GET", "/branches/{branch}/protection") => protection(world, call),
        ("GET", "/rules/branches/{branch}") => rules(world, call),
        ("GET", "/rulesets/{ruleset_id}") => ruleset(world, call),
        ("GET", "/compare/{basehead}") => compare(world, call),
        ("GET", "/git/ref/{ref}") => {
            let name = format!("refs/{}", call.text("ref"));
            let id = world.git.commit(&name).ok_or_else(Answer::not_found)?;
            Ok(Answer::ok(call.show(world).reference(&name, &id)))
        }
        ("POST", "/git/refs") => create(world, call),
        ("PATCH", _) => update(world, call),
        ("DELETE", _) => delete(world, call),
        _ => Err(Answer::not_found()),
    }
}

fn repository(world: &World, call: &Call) -> Done<Answer> {
    let mut shown = call.show(world).repository();
    let (owner, name) = (call.text("owner"), call.text("repo"));
    let full_name = format!("{owner}/{name}");
    if world.model.sources.contains_key(&full_name) {
        let id = world.model.repository.id + 1;
        put(
            &mut shown,
            json!({"id": id, "name": name, "full_name": full_name, "url": format!("{}/repos/{full_name}", call.api)}),
        );
    }
    Ok(Answer::ok(shown))
}

/// Whether classic protection has something to say of it.
fn is_protected(world: &World, branch: &str) -> bool {
    let model = &world.model;
    (model.required_check.is_some() || model.signatures == Some(Signatures::Protection))
        && branch == model.repository.default_branch
}

fn required(world: &World, call: &Call) -> Value {
    let check = &world.model.required_check;
    let url = call.show(world).at("/branches/protection/required_status_checks");
    json!({
        "url": url, "contexts_url": format!("{url}/contexts"), "contexts": [check], "strict": false,
        "checks": [{"context": check, "app_id": world.model.app.id}], "enforcement_level": "everyone",
    })
}

fn branch(world: &World, call: &Call) -> Done<Answer> {
    let name = call.text("branch");
    let not_found = || Answer::refused(404, "Branch not found");
    let head = world.model.heads.get(name).ok_or_else(not_found)?;
    let url = call.show(world).at(&format!("/branches/{name}"));
    let classic = &world.model.upkeep.classic;
    let mut shown = json!({
        "name": name, "commit": call.show(world).commit(&world.git.show(head)), "protected": is_protected(world, name),
        "protection": {"enabled": is_protected(world, name)}, "protection_url": format!("{url}/protection"),
        "_links": {"self": url, "html": url},
    });
    if is_protected(world, name) && world.model.required_check.is_some() {
        shown["protection"]["required_status_checks"] = required(world, call);
    }
    if classic.is_object() {
        let checks = &classic["required_status_checks"];
        shown["protected"] = json!(true);
        shown["protection"] = json!({"enabled": true, "required_status_checks": {
            "contexts": [], "checks": checks["checks"], "enforcement_level": "everyone"
        }});
    }
    Ok(Answer::ok(shown))
}

/// To whoever may administer; an App without that permission learns not even whether there is one.
fn protection(world: &World, call: &Call) -> Done<Answer> {
    let upkeep = &world.model.upkeep;
    if upkeep.is_protection_hidden {
        return Err(Answer::refused(403, "Resource not accessible by integration"));
    }
    if upkeep.classic.is_object() {
        return Ok(Answer::ok(upkeep.classic.clone()));
    }
    if !is_protected(world, call.text("branch")) {
        return Err(Answer::refused(404, "Branch not protected"));
    }
    let signatures = json!({
        "enabled": world.model.signatures == Some(Signatures::Protection),
        "url": call.show(world).at("/branches/protection/required_signatures"),
    });
    let mut shown = json!({"enforce_admins": {"enabled": true}, "required_signatures": signatures});
    if world.model.required_check.is_some() {
        shown["required_status_checks"] = required(world, call);
    }
    Ok(Answer::ok(shown))
}

/// A ruleset; who may bypass it is shown to those who may change it.
fn ruleset(world: &World, call: &Call) -> Done<Answer> {
    let found = world.model.upkeep.rulesets.get(&call.number("ruleset_id")).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(found.clone()))
}

fn rules(world: &World, call: &Call) -> Done<Answer> {
    if let Some(rules) = &world.model.upkeep.rules {
        return call.page(rules.clone());
    }
    let model = &world.model;
    if call.text("branch") != model.repository.default_branch {
        return call.page(Vec::new());
    }
    let source =
        json!({"ruleset_id": 1, "ruleset_source": model.full_name(), "ruleset_source_type": "Repository"});
    let rule = |kind: &str, parameters: Option<Value>| {
        let mut rule = source.clone();
        put(&mut rule, json!({ "type": kind }));
        if let Some(parameters) = parameters {
            put(&mut rule, json!({ "parameters": parameters }));
        }
        rule
    };
    let checks = model.required_check.as_ref().map(|check| {
        let check = json!({"context": check, "integration_id": model.app.id});
        let parameters =
            json!({"required_status_checks": [check], "strict_required_status_checks_policy": false});
        rule("required_status_checks", Some(parameters))
    });
    let is_signed = model.signatures == Some(Signatures::Ruleset);
    let signatures = is_signed.then(|| rule("required_signatures", None));
    call.page(checks.into_iter().chain(signatures).collect())
}

/// One commit, with what GitHub says of its signature.
pub(super) fn commit(world: &World, call: &Call) -> Done<Answer> {
    let name = call.text("ref");
    let id = world.git.commit(name).ok_or_else(|| invalid(&format!("No commit found for SHA: {name}")))?;
    Ok(Answer::ok(call.show(world).commit(&world.git.show(&id))))
}

fn invalid(message: &str) -> Answer {
    Answer::refused(422, message)
}

fn create(world: &mut World, call: &Call) -> Done<Answer> {
    let (name, id) = (call.body["ref"].as_str().unwrap_or(""), call.body["sha"].as_str().unwrap_or(""));
    if !name.starts_with("refs/heads/") && !name.starts_with("refs/tags/") {
        return Err(invalid("Reference name must start with 'refs/'"));
    }
    if world.git.commit(name).is_some() {
        return Err(invalid("Reference already exists"));
    }
    if id.len() != 40 || world.git.commit(id).is_none() {
        return Err(invalid("Object does not exist"));
    }
    world.git.update(name, id, "").map_err(|_| invalid("Reference name is not valid"))?;
    world.look_after(call.by(world));
    Ok(Answer::created(call.show(world).reference(name, id)))
}

fn update(world: &mut World, call: &Call) -> Done<Answer> {
    let name = format!("refs/{}", call.text("ref"));
    let new = call.body["sha"].as_str().unwrap_or("");
    let old = world.git.commit(&name).ok_or_else(|| invalid("Reference does not exist"))?;
    if new.len() != 40 || world.git.commit(new).is_none() {
        return Err(invalid("Object does not exist"));
    }
    if call.body["force"] != true && !world.git.is_ancestor(&old, new) {
        return Err(invalid("Update is not a fast forward"));
    }
    world.git.update(&name, new, &old).map_err(|_| Answer::refused(409, "Reference cannot be updated"))?;
    world.look_after(call.by(world));
    Ok(Answer::ok(call.show(world).reference(&name, new)))
}

fn delete(world: &mut World, call: &Call) -> Done<Answer> {
    let name = format!("refs/{}", call.text("ref"));
    if world.git.commit(&name).is_none() {
        return Err(invalid("Reference does not exist"));
    }
    world.git.delete(&name).map_err(|reason| invalid(&reason))?;
    world.look_after(call.by(world));
    Ok(Answer::new(204, json!(null)))
}

/// Of the repository or of a source: what touched a path, the last first.
pub(super) fn commits(world: &World, call: &Call) -> Done<Answer> {
    let git = named_git(world, call);
    let start = git.commit(call.asked("sha").unwrap_or("HEAD")).ok_or_else(Answer::not_found)?;
    let touching = git.touching(&start, call.asked("path").unwrap_or("."), call.asked("since"));
    let show = Show { git: &git, ..call.show(world) };
    call.page(touching.iter().map(|commit| show.commit(commit)).collect())
}

fn named_git(world: &World, call: &Call) -> Git {
    let source = world.model.sources.get(&format!("{}/{}", call.text("owner"), call.text("repo")));
    source.map_or_else(|| world.git.clone(), |path| Git::new(path))
}

/// Of the repository or of a source. Commits come in pages, files with the first page only.
fn compare(world: &World, call: &Call) -> Done<Answer> {
    let git = named_git(world, call);
    let (base, head) = call.text("basehead").split_once("...").ok_or_else(Answer::not_found)?;
    let base = git.commit(base).ok_or_else(Answer::not_found)?;
    let head = git.commit(head).ok_or_else(Answer::not_found)?;
    let common = git.merge_base(&base, &head).ok_or_else(Answer::not_found)?;
    let show = Show { git: &git, ..call.show(world) };
    let (ahead, behind) = (git.commits(&base, &head), git.commits(&head, &base).len());
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let count = ahead.len();
    let is_first = call.asked("page").is_none_or(|page| page == "1");
    let files: Vec<Value> = git.changed(&base, &head).iter().take(FILES_MAX).map(Show::file).collect();
    let (commits, pages) = call.cut_commits(ahead.iter().map(|commit| show.commit(commit)).collect());
    let mut body = json!({
        "status": status, "ahead_by": count, "behind_by": behind, "total_commits": count, "commits": commits,
        "base_commit": show.commit(&git.show(&base)), "merge_base_commit": show.commit(&git.show(&common)),
    });
    if is_first {
        body["files"] = json!(files);
    }
    Ok(Answer { pages, ..Answer::ok(body) })
}

impl Call {
    /// Without a page asked for, GitHub gives 250 commits and no link.
    fn cut_commits(&self, all: Vec<Value>) -> (Vec<Value>, Option<(u32, u32)>) {
        if self.asked("page").is_none() && self.asked("per_page").is_none() {
            return (all.into_iter().take(250).collect(), None);
        }
        let (part, pages) = self.cut(all);
        (part, Some(pages))
    }
}
