//! The table of commands and roles.

use super::*;

#[test]
fn each_command_has_its_roles_and_no_others() {
    let all = [Role::Read, Role::Write, Role::Owner, Role::Approver, Role::OnCall, Role::Admin];
    // One column for each of the roles above.
    for (verb, want) in [
        (Verb::Promote, "- - x - - -"),
        (Verb::Rollback, "- - - - x -"),
        (Verb::Hold, "- x - - x x"),
        (Verb::Resume, "- x - - x x"),
        (Verb::Veto, "- - x x - -"),
        (Verb::Unveto, "- - x x - -"),
        (Verb::Retry, "- x - - - x"),
        (Verb::Status, "x x x x x x"),
        (Verb::Explain, "x x x x x x"),
        (Verb::History, "x x x x x x"),
        (Verb::Help, "x x x x x x"),
    ] {
        let found = all.map(|role| if allowed(verb).contains(&role) { "x" } else { "-" });
        assert_eq!(found.join(" "), want, "{verb:?}");
        assert_eq!(Verb::ALL.iter().filter(|other| **other == verb).count(), 1);
    }
}
