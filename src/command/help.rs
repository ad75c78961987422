//! The table of commands for answers.

use std::fmt::Write as _;

use super::{Role, Verb, allowed};

/// The commands as a Markdown table, for the answer to `/help`. It contains no line that is a command.
#[must_use]
pub fn help_text() -> String {
    let mut text =
        "One command per line, at the start of the line, at most five; all of them are run, or none.\n\n\
                    | command | what it does | who |\n|---|---|---|\n"
            .to_owned();
    for verb in Verb::ALL {
        let (arguments, meaning) = usage(verb);
        let roles: Vec<&str> = allowed(verb).iter().map(|role| role_name(*role)).collect();
        let who = if allowed(verb).contains(&Role::Read) { "read".to_owned() } else { roles.join(", ") };
        let blank = if arguments.is_empty() { "" } else { " " };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "| `/{}{blank}{arguments}` | {meaning} | {who} |", verb.name());
    }
    text.push_str(
        "\nAn approval is a review of the pull request. A stage or group comes first, then `to` a version (`1.4.2`) or \
         digest (7 or more of its hex digits), or `until` a time (`2026-11-20T16:00:00Z`) or duration (`2h`); the rest \
         is the reason.\n",
    );
    text
}

fn usage(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::Promote => (
            "[<stage>] [to <release>] [lane=hotfix] [reason]",
            "propose a release now; the gates still apply, and a hotfix passes the stages before, by `hotfix.by` alone (open promotion, operations issue)",
        ),
        Verb::Rollback => ("[<stage or group>] [to <release>] [reason]", "go back, and hold the stage there"),
        Verb::Hold => ("[<stage or group>] [until <time>] [reason]", "stop promotions into a stage"),
        Verb::Resume => ("[<stage or group>] [reason]", "lift a hold"),
        Verb::Veto => ("[<release>] [reason]", "refuse a release, here and downstream"),
        Verb::Unveto => ("[<release>] [reason]", "take a veto back"),
        Verb::Freeze => {
            ("[<stage, group or all>] [until <time>] [reason]", "stop merging into stages (operations issue)")
        }
        Verb::Unfreeze => ("[<stage, group or all>] [reason]", "lift that (operations issue)"),
        Verb::Retry => ("", "close the pull request and make another attempt (open promotion)"),
        Verb::Status => ("[<stage or group>]", "what is where"),
        Verb::Explain => ("[<stage or group>]", "what is waited for, and who can act"),
        Verb::History => ("[<stage or group>]", "what was where, and who let it through"),
        Verb::Help => ("", "this table"),
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Write => "write",
        Role::Owner => "owner",
        Role::Approver => "approvers",
        Role::OnCall => "on-call",
        Role::Admin => "admin",
    }
}
