//! One authorisation function, deny by default.

use std::collections::BTreeSet;

use super::Refusal;
use crate::command::{self, Role, Verb};
use crate::pipeline::{Principal, RoleName, Stage};
use crate::plan::gates::principals;
use crate::plan::snapshot::{Asked, Snapshot};
use crate::pull_request::Permission;

/// Whether the person may do this to this stage now.
pub(super) fn authorise(
    snapshot: &Snapshot,
    asked: &Asked,
    verb: Verb,
    stage: &Stage,
) -> Result<(), Refusal> {
    let held = roles(snapshot, asked.person.id, stage);
    let wanted = command::allowed(verb);
    if wanted.iter().any(|role| held.contains(role)) {
        return Ok(());
    }
    let who: Vec<String> = wanted.iter().map(|role| described(snapshot, stage, *role)).collect();
    Err(Refusal::denied(format!("`/{}` on `{}` needs one of: {}.", verb.name(), stage.name, who.join("; "))))
}

/// Whether the person may send a hotfix into this stage now.
pub(super) fn authorise_hotfix(snapshot: &Snapshot, asked: &Asked, stage: &Stage) -> Result<(), Refusal> {
    let (name, by) = (&stage.name, &stage.hotfix_by);
    if by.is_empty() {
        return Err(Refusal::denied(format!(
            "nobody may send a hotfix to `{name}`: the stage has no `hotfix: {{ by: [...] }}` in `lockkeeper.yaml`."
        )));
    }
    if snapshot.is_any(asked.person.id, by) {
        return Ok(());
    }
    Err(Refusal::denied(format!("a hotfix to `{name}` needs one of: {}.", principals(by, "nobody"))))
}

/// The roles that a person has for a stage; none where the forge could not say who it is.
fn roles(snapshot: &Snapshot, person: u64, stage: &Stage) -> BTreeSet<Role> {
    let permission = snapshot.permission(person);
    let owners: Vec<Principal> = snapshot.pipeline.owner.iter().cloned().collect();
    let is_owner =
        if owners.is_empty() { permission >= Permission::Admin } else { snapshot.is_any(person, &owners) };
    let may_write = permission >= Permission::Write;
    let is_on_call = if stage.rollback_by.is_empty() {
        is_owner || may_write
    } else {
        snapshot.is_any(person, &stage.rollback_by)
    };
    let approvers = stage.gates.approvals.as_ref().map(|rule| rule.from.clone()).unwrap_or_default();
    let found = [
        (Role::Read, permission >= Permission::Read),
        (Role::Write, may_write),
        (Role::Owner, is_owner),
        (Role::Approver, snapshot.is_any(person, &approvers)),
        (Role::OnCall, is_on_call),
        (Role::Admin, snapshot.is_any(person, &[Principal::Role(RoleName::Admin)])),
    ];
    found.into_iter().filter(|(_, has)| *has).map(|(role, _)| role).collect()
}

/// A role in words, with the principals that have it.
fn described(snapshot: &Snapshot, stage: &Stage, role: Role) -> String {
    match role {
        Role::Read => "read permission".to_owned(),
        Role::Write => "write permission".to_owned(),
        Role::Admin => "admin permission".to_owned(),
        Role::Owner => match &snapshot.pipeline.owner {
            Some(owner) => format!("owner (`{owner}`)"),
            None => "owner (admin permission, as the pipeline names none)".to_owned(),
        },
        Role::Approver => match &stage.gates.approvals {
            Some(rule) => format!("approver ({})", principals(&rule.from, "none named")),
            None => "approver (none named)".to_owned(),
        },
        Role::OnCall => format!("on-call ({})", principals(&stage.rollback_by, "owner or write")),
    }
}
