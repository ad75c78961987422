//! Who we are at GitHub, and what we were given.

use std::time::Duration;

use super::{Findings, Look};
use crate::forge::github::inspect::{AppFacts, InstallationFacts};
use crate::forge::github::needs::{EVENTS, PERMISSIONS};
use crate::forge::{Forge as _, ForgeError};

/// How far two clocks may differ: GitHub takes no signature from the future, and none older than ten minutes.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(30);

/// Who we are.
pub(super) struct Identity {
    /// None with a token.
    pub(super) app_id: Option<u64>,
}

/// Looks at the identity; nothing where it does not work, and nothing else can be asked.
pub(super) async fn look(look: &Look<'_>, findings: &mut Findings) -> Option<Identity> {
    match look.forge.app_facts().await {
        Ok(Some(app)) => {
            findings.good(look.subject("GitHub App"), format!("{} (id {}), by its key", app.slug, app.id));
            if !app.slug.eq_ignore_ascii_case(&look.settings.commands.bot) {
                let fix = format!("set `bot` of `[commands]` to \"{}\"", app.slug);
                let text = format!("is called {}, and answers to @{}", app.slug, look.settings.commands.bot);
                findings.bad(look.subject("GitHub App"), text, fix);
            }
            installation(look, &app, findings).await?;
            Some(Identity { app_id: Some(app.id) })
        }
        Ok(None) => token(look, findings).await,
        Err(error) => {
            refused(look, &error, findings).await;
            None
        }
    }
}

/// Why the App is not believed: the clock, or the key.
async fn refused(look: &Look<'_>, error: &ForgeError, findings: &mut Findings) {
    let subject = look.subject("GitHub App");
    let ahead = look.forge.clock_ahead().await;
    let is_clock = |seconds: &u64| *seconds > CLOCK_DIFFERENCE_MAX.as_secs();
    let difference = ahead.map(|ahead| ahead.as_secs().unsigned_abs()).filter(is_clock);
    match (error, difference) {
        (ForgeError::Refused { .. }, Some(seconds)) => findings.bad(
            subject,
            format!("{error}; the clock of this machine and GitHub's differ by {seconds} s"),
            "set the clock of this machine, and keep it by NTP",
        ),
        (ForgeError::Refused { .. } | ForgeError::NotFound { .. }, _) => findings.bad(
            subject,
            error.to_string(),
            "set `app_id` of `[github]` to the App's id, and `private_key_file` to a key that the App's page still lists",
        ),
        (ForgeError::Unavailable { .. } | ForgeError::Moved { .. }, _) => {
            findings.bad(subject, error.to_string(), "check `api_url` of `[github]`, and the network");
        }
    }
}

async fn installation(look: &Look<'_>, app: &AppFacts, findings: &mut Findings) -> Option<()> {
    let subject = look.subject("installation");
    let found = match look.forge.installation_facts().await {
        Ok(found) => found?,
        Err(ForgeError::NotFound { .. }) => {
            let fix = format!("install {} on the repository, from its page at GitHub", app.slug);
            findings.bad(subject, "the App is not installed on this repository", fix);
            return None;
        }
        Err(error) => {
            look.unseen("installation", &error, findings);
            return None;
        }
    };
    if let Some(at) = found.suspended_at {
        findings.bad(subject, format!("is suspended since {at}"), format!("lift it at {}", found.html_url));
        return None;
    }
    permissions(look, app, &found, findings);
    events(look, app, &found, findings);
    Some(())
}

/// Every permission that is needed, one line for each that is missing.
fn permissions(look: &Look<'_>, app: &AppFacts, found: &InstallationFacts, findings: &mut Findings) {
    let mut is_whole = true;
    for need in PERMISSIONS {
        let has = |given: Option<&String>| given.is_some_and(|word| need.access.is_in(word));
        if has(found.permissions.get(need.name)) {
            continue;
        }
        is_whole = false;
        let given = found.permissions.get(need.name).map_or("none", String::as_str);
        let text = format!("{}: wanted {}, found {given}", need.title, need.access.name());
        let fix = if has(app.permissions.get(need.name)) {
            format!("the App asks for it; accept it at {}", found.html_url)
        } else {
            let (title, access) = (need.title, need.access.name());
            format!("give {} the permission {title}: {access}, and accept it at {}", app.slug, found.html_url)
        };
        match need.without {
            Some(without) => {
                findings.notice(look.subject("permission"), format!("{text}; {without}"), fix);
            }
            None => findings.bad(look.subject("permission"), text, fix),
        }
    }
    if is_whole {
        findings.good(look.subject("permissions"), format!("all {} are there", PERMISSIONS.len()));
    }
}

/// What the App is not told of is found by polling, later.
fn events(look: &Look<'_>, app: &AppFacts, found: &InstallationFacts, findings: &mut Findings) {
    let is_missing = |event: &&str| found.events.iter().all(|found| found != event);
    let missing: Vec<&str> = EVENTS.into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        findings.good(look.subject("events"), format!("all {} are told", EVENTS.len()));
    } else {
        let text = format!("not told: {}; they are found by polling, later", missing.join(", "));
        findings.notice(look.subject("events"), text, format!("subscribe {} to them on its page", app.slug));
    }
}

/// A token is a weak gate: whoever may push can report a status in its name.
async fn token(look: &Look<'_>, findings: &mut Findings) -> Option<Identity> {
    let subject = look.subject("GitHub token");
    let me = match look.forge.me().await {
        Ok(me) => me,
        Err(error) => {
            findings.bad(subject, error.to_string(), "make a new token, and put it into `token_file`");
            return None;
        }
    };
    match look.forge.repository_facts().await {
        Ok(facts) if facts.permissions.get("push") == Some(&true) => {
            let text = format!(
                "belongs to {}; its gate is a status, which whoever may push can report too",
                me.name
            );
            findings.notice(
                subject,
                text,
                "use a GitHub App, so that the check `lockkeeper` can be required from nobody else",
            );
        }
        Ok(_) => {
            let text = format!("belongs to {}, who may not write to the repository", me.name);
            findings.bad(subject, text, "give it Contents, Pull requests, Issues and Commit statuses: write");
        }
        Err(error) => {
            findings.bad(subject, error.to_string(), "give the token this repository");
            return None;
        }
    }
    Some(Identity { app_id: None })
}
