//! Whether GitHub tells us things: where the App's hook leads, and how its last deliveries ended.

use super::{Findings, Look};
use crate::forge::github::inspect::HookFacts;
use crate::forge::github::{Hook, ListedDelivery};

pub(super) async fn look(look: &Look<'_>, findings: &mut Findings) {
    let Some(github) = look.settings.github.as_ref().filter(|github| !github.webhook_secrets.is_empty())
    else {
        return;
    };
    match look.forge.hook_facts().await {
        Ok(Some(hook)) => config(look, &hook, findings),
        Ok(None) => return,
        Err(error) => look.unseen("hook", &error, findings),
    }
    let page = match Hook::new(github) {
        Ok(Some(hook)) => hook.deliveries(None).await,
        Ok(None) => return,
        Err(error) => Err(error),
    };
    match page {
        Ok(page) => deliveries(look, &page.deliveries, findings),
        Err(error) => look.unseen("deliveries", &error, findings),
    }
}

fn config(look: &Look<'_>, hook: &HookFacts, findings: &mut Findings) {
    let subject = look.subject("hook");
    let wanted = format!("{}/webhooks/github", look.settings.server.url);
    let found = hook.url.as_deref().unwrap_or_default();
    let mut is_right = true;
    let mut bad = |text: String, fix: String| {
        is_right = false;
        findings.bad(subject.clone(), text, fix);
    };
    if found.is_empty() {
        bad("leads nowhere".to_owned(), format!("set the App's webhook URL to {wanted}"));
    } else if !found.trim_end_matches('/').eq_ignore_ascii_case(&wanted) {
        let fix = format!("set the App's webhook URL to {wanted}, or `url` of `[server]`");
        bad(format!("leads to {found}, and this server is {wanted}"), fix);
    }
    if hook.content_type.as_deref() != Some("json") {
        let found = hook.content_type.as_deref().unwrap_or("nothing");
        let fix = "set the App's content type to application/json".to_owned();
        bad(format!("sends {found}, wanted json"), fix);
    }
    if hook.secret.as_deref().unwrap_or_default().is_empty() {
        let fix = "set the App's webhook secret to what stands in `webhook_secret_files`".to_owned();
        bad("has no secret: each delivery is refused".to_owned(), fix);
    }
    if hook.insecure_ssl == "1" || hook.insecure_ssl == 1 {
        bad(
            "does not check our certificate".to_owned(),
            "enable SSL verification of the App's hook".to_owned(),
        );
    }
    if is_right {
        findings.good(subject, format!("leads to {wanted}"));
    }
}

/// How the last deliveries ended. One that was brought in the end is none that failed.
fn deliveries(look: &Look<'_>, listed: &[ListedDelivery], findings: &mut Findings) {
    let subject = look.subject("deliveries");
    let Some(latest) = listed.first() else {
        findings.notice(
            subject,
            "there are none in the last days",
            "redeliver the ping on the App's page `Advanced`, and look again",
        );
        return;
    };
    let is_good = |delivery: &ListedDelivery| (200..300).contains(&delivery.status_code);
    let is_brought = |guid: &str| listed.iter().any(|other| other.guid == guid && is_good(other));
    let failed: Vec<&ListedDelivery> =
        listed.iter().filter(|delivery| !is_good(delivery) && !is_brought(&delivery.guid)).collect();
    let Some(worst) = failed.first() else {
        let ListedDelivery { event, delivered_at, status_code, .. } = latest;
        findings.good(subject, format!("the latest, {event} at {delivered_at}, was answered {status_code}"));
        return;
    };
    let ListedDelivery { event, delivered_at, status_code, status, .. } = worst;
    let text = format!(
        "{} of the last {} failed; the latest, {event} at {delivered_at}: {status_code} {status}",
        failed.len(),
        listed.len()
    );
    if is_good(latest) {
        findings.notice(subject, text, "nothing, if the server was down then: it fetches what it missed");
    } else {
        findings.bad(subject, text, fix_of(*status_code));
    }
}

fn fix_of(status_code: u16) -> &'static str {
    match status_code {
        401 => "put the App's webhook secret into one of `webhook_secret_files`",
        404 | 405 | 421 => {
            "let the App's webhook URL lead to /webhooks/github of this server, and name its host in `hosts` of `[server]`"
        }
        500..=599 => "look into the log of the server and of the proxy before it",
        _ => "let GitHub reach the server: address, certificate, firewall",
    }
}
