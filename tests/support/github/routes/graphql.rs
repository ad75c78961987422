//! GraphQL, of which the fake knows one mutation: `createCommitOnBranch`.
//!
//! Source: GitHub GraphQL schema, `CreateCommitOnBranchInput`.

use std::collections::BTreeSet;

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::super::git::Signature;
use super::super::model::Owner;
use super::super::world::World;

/// The fields of an input object, and which of them are required.
struct Input {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

const COMMIT: Input = Input {
    name: "CreateCommitOnBranchInput",
    required: &["branch", "message", "expectedHeadOid"],
    optional: &["clientMutationId", "fileChanges"],
};
const BRANCH: Input =
    Input { name: "CommittableBranch", required: &["repositoryNameWithOwner", "branchName"], optional: &[] };
const MESSAGE: Input = Input { name: "CommitMessage", required: &["headline"], optional: &["body"] };
const CHANGES: Input = Input { name: "FileChanges", required: &[], optional: &["additions", "deletions"] };
const ADDITION: Input = Input { name: "FileAddition", required: &["path", "contents"], optional: &[] };
const DELETION: Input = Input { name: "FileDeletion", required: &["path"], optional: &[] };

/// Checks a request against the part of the schema that we use.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn check(body: &Value) -> Result<(), String> {
    let query = body["query"].as_str().ok_or("graphql: there is no `query`")?;
    if !query.contains("mutation") || !query.contains("createCommitOnBranch(input:") {
        return Err(format!("graphql: only `createCommitOnBranch(input: …)` is known, not {query}"));
    }
    let known = ["query", "variables", "operationName"];
    if let Some(name) =
        body.as_object().into_iter().flat_map(Map::keys).find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!("graphql: there is no field `{name}`"));
    }
    let input = &body["variables"]["input"];
    COMMIT.check(input)?;
    BRANCH.check(&input["branch"])?;
    MESSAGE.check(&input["message"])?;
    if input["fileChanges"].is_null() {
        return Ok(());
    }
    CHANGES.check(&input["fileChanges"])?;
    let of = |name: &str| input["fileChanges"][name].as_array().cloned().unwrap_or_default();
    of("additions").iter().try_for_each(|addition| ADDITION.check(addition))?;
    of("deletions").iter().try_for_each(|deletion| DELETION.check(deletion))
}

impl Input {
    fn check(&self, value: &Value) -> Result<(), String> {
        let told = |reason: String| format!("graphql: {}: {reason}", self.name);
        let fields = value.as_object().ok_or_else(|| told(format!("it is no object but {value}")))?;
        let found: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
        if let Some(name) = self.required.iter().find(|name| !found.contains(*name)) {
            return Err(told(format!("`{name}` is missing")));
        }
        let known = |name: &&&str| !self.required.contains(name) && !self.optional.contains(name);
        found.iter().find(known).map_or(Ok(()), |name| Err(told(format!("there is no field `{name}`"))))
    }
}

/// Makes the commit, or says why not: GraphQL answers errors with status 200 too.
pub fn answer(world: &mut World, owner: Owner, body: &Value) -> Value {
    match commit(world, owner, &body["variables"]["input"]) {
        Ok(id) => {
            let url = format!("{}/{}/commit/{id}", world.host, world.model.full_name());
            json!({"data": {"createCommitOnBranch": {"commit": {"oid": id, "url": url}}}})
        }
        Err((kind, message)) => json!({
            "data": {"createCommitOnBranch": null},
            "errors": [{"type": kind, "path": ["createCommitOnBranch"], "message": message}],
        }),
    }
}

fn commit(world: &mut World, owner: Owner, input: &Value) -> Result<String, (&'static str, String)> {
    let branch = input["branch"]["branchName"].as_str().unwrap_or("");
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    let repository = input["branch"]["repositoryNameWithOwner"].as_str().unwrap_or("");
    if !repository.eq_ignore_ascii_case(&world.model.full_name()) {
        let message = format!("Could not resolve to a Repository with the name '{repository}'.");
        return Err(("NOT_FOUND", message));
    }
    let no_branch = || ("NOT_FOUND", format!("A branch named \"{branch}\" could not be found."));
    let head = world.model.heads.get(branch).cloned().ok_or_else(no_branch)?;
    let stale = |found: &str| {
        let message = format!("Expected branch to point to \"{found}\" but it did not. Pull and try again.");
        ("STALE_DATA", message)
    };
    if input["expectedHeadOid"] != head.as_str() {
        return Err(stale(&head));
    }
    let unprocessable = |message: String| ("UNPROCESSABLE", message);
    let files = files(input).map_err(unprocessable)?;
    let tree = world.git.write_tree(&head, &files).map_err(unprocessable)?;
    let by = match owner {
        Owner::Person(id) => id,
        Owner::App | Owner::Installation => world.model.app.bot,
    };
    let person = world.model.person(by);
    let author = Signature { name: person.login.clone(), email: person.email(), at: world.now() };
    let text = |name: &str| input["message"][name].as_str().unwrap_or("").to_owned();
    let message = if text("body").is_empty() {
        text("headline")
    } else {
        format!("{}\n\n{}", text("headline"), text("body"))
    };
    let more = if world.model.adds_a_line { "\nCo-authored-by: octocat <octocat@github.com>" } else { "" };
    let message = format!("{message}{more}");
    let commit = world.git.write_commit(&tree, &[&head], &message, &author);
    world.git.update(&format!("refs/heads/{branch}"), &commit, &head).map_err(|_| stale(&head))?;
    world.model.signed.insert(commit.clone());
    world.look_after(by);
    Ok(commit)
}

type Files = Vec<(String, Option<Vec<u8>>)>;

fn files(input: &Value) -> Result<Files, String> {
    let of = |name: &str| input["fileChanges"][name].as_array().cloned().unwrap_or_default();
    let path = |value: &Value| value["path"].as_str().unwrap_or("").to_owned();
    let mut files: Files = of("deletions").iter().map(|deletion| (path(deletion), None)).collect();
    for addition in of("additions") {
        let contents = addition["contents"].as_str().unwrap_or("");
        let bytes = base64::engine::general_purpose::STANDARD.decode(contents);
        let bytes = bytes.map_err(|_| format!("the contents of {} are no base64", path(&addition)))?;
        files.push((path(&addition), Some(bytes)));
    }
    Ok(files)
}
