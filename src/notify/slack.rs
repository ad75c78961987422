//! An object with a `text`, as incoming webhooks of Slack take it.
//!
//! Source: Slack's documentation, "Formatting text for app surfaces": `&`, `<` and `>` are escaped; `<!channel>`, `<@id>`
//! and `<address|text>` act. So the only `<` that is ours begins the link to our pull request; texts from outside stand in
//! code, on one line, with `@` and `://` broken, for readers that make links and mentions of plain text.

use serde_json::json;

use super::news::{Move, News, What};
use crate::plan::messages::disarm;
use crate::promotion::{Followed, Lane};
use crate::settings::Occasion;

pub(super) const CONTENT_TYPE: &str = "application/json";

/// The message of an event.
pub(super) fn message(news: &News) -> String {
    let what = match &news.what {
        What::Move(movement) => moved(news.occasion, movement),
        What::Image(repository, digest) => format!(
            "{} {} is not in its registry any more; it is live there, or a rollback would need it",
            code(&repository.to_string()),
            code(&digest.to_string())
        ),
        What::Watch(release, followed) => {
            let follows = match followed {
                Followed::Nothing | Followed::Told => "nothing is done by itself",
                Followed::Held => "the stage is held",
                Followed::RollingBack => "the stage goes back by itself",
            };
            let (version, short) = (code(&release.version()), code(&release.short()));
            format!("the watch of {version} ({short}) did not pass; {follows}")
        }
    };
    let mut text = format!("{} {}: {what}.", code(&news.source()), code(news.stage.as_str()));
    for (word, said) in [("Asked for by", &news.by), ("Reason:", &news.reason)] {
        text.extend(said.iter().map(|said| format!(" {word} {}.", code(said))));
    }
    text.extend(news.url.iter().map(|url| format!(" <{}|Pull request>", address(url))));
    json!({ "text": text }).to_string()
}

/// A message of nothing that happened.
pub(super) fn test(target: &str) -> String {
    json!({ "text": format!("A test of lockkeeper's target {}: nothing happened.", code(target)) })
        .to_string()
}

fn moved(occasion: Occasion, movement: &Move) -> String {
    let release = format!("{} ({})", code(&movement.release.version()), code(&movement.release.short()));
    let was = movement.was.as_ref().map(|was| format!(", was {}", code(&was.version()))).unwrap_or_default();
    let approved: Vec<String> = movement.approved_by.iter().map(|name| code(name)).collect();
    let approved =
        if approved.is_empty() { String::new() } else { format!(", approved by {}", approved.join(", ")) };
    let waits_for = movement.waits_for.as_deref().map(prose).unwrap_or_default();
    match occasion {
        Occasion::Waiting => format!("{} of {release} waits for {waits_for}{was}", word(movement)),
        Occasion::RolledBack => format!("rolled back to {release}{was}{approved}"),
        Occasion::Promoted | Occasion::WatchFailed | Occasion::RollbackTargetMissing => {
            format!("promoted to {release}{was}{approved}")
        }
    }
}

fn word(movement: &Move) -> &'static str {
    match movement.lane {
        Lane::Normal => "promotion",
        Lane::Hotfix => "hotfix",
        Lane::Rollback => "rollback",
    }
}

/// Foreign text in a code span that it cannot leave, and in which nothing acts.
fn code(text: &str) -> String {
    match disarm(text).replace('`', "'") {
        line if line.is_empty() => "` `".to_owned(),
        line => format!("`{}`", escape(&line)),
    }
}

/// Text of ours that holds foreign text in code spans.
fn prose(text: &str) -> String {
    let part = |(index, part): (usize, &str)| if index % 2 == 1 { code(part) } else { escape(part) };
    text.split('`').enumerate().map(part).collect()
}

/// An address as the first part of a link: it comes from the settings, and must not end the link early.
fn address(url: &str) -> String {
    escape(url).replace('|', "%7C")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
