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
        (Verb::Freeze, "- - x - - -"),
        (Verb::Unfreeze, "- - x - - -"),
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

#[test]
fn each_command_has_its_places_and_no_others() {
    let all = [Place::OpenPromotion, Place::EndedPromotion, Place::OperationsIssue];
    for verb in Verb::ALL {
        let want = [
            (Verb::Promote, "x - x"),
            (Verb::Retry, "x - -"),
            (Verb::Freeze, "- - x"),
            (Verb::Unfreeze, "- - x"),
        ];
        let want = want.iter().find(|(limited, _)| *limited == verb).map_or("x x x", |(_, want)| *want);
        let found = all.map(|place| if works_on(verb).contains(&place) { "x" } else { "-" });
        assert_eq!(found.join(" "), want, "{verb:?}");
    }
}
