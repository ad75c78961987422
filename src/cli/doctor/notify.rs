//! Who is told what happens. Nothing is sent.

use super::Findings;
use super::host::secret_file;
use crate::settings::{NotifyForm, NotifyTarget, Settings};

/// Where messages go, of what, and whether their secrets are kept.
pub(super) fn targets(settings: &Settings, findings: &mut Findings) {
    for target in &settings.notify {
        let subject = format!("notify {}", target.name);
        let text = text(target);
        if target.secret.is_some() || target.form == NotifyForm::Slack {
            findings.good(&subject, text);
        } else {
            findings.notice(
                &subject,
                format!("{text}; messages are not signed"),
                "set `secret_file` of the target, so that it can tell who sends",
            );
        }
        for file in &target.files {
            secret_file(&subject, file, findings);
        }
    }
}

fn text(target: &NotifyTarget) -> String {
    let occasions: Vec<&str> = target.occasions.iter().map(|occasion| occasion.name()).collect();
    let mut text =
        format!("{} at {}, told of {}", target.form.name(), target.address.host(), occasions.join(", "));
    if let Some(pipelines) = &target.pipelines {
        text.extend([format!("; pipelines {}", joined(pipelines))]);
    }
    if let Some(stages) = &target.stages {
        text.extend([format!("; stages {}", joined(stages))]);
    }
    text
}

fn joined<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>().join(", ")
}
