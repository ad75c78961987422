//! Who is told what happens. Nothing is sent but where that is asked for.

use jiff::Timestamp;

use super::Findings;
use super::host::secret_file;
use crate::notify;
use crate::pipeline::Pipeline;
use crate::settings::{NotifyForm, NotifyTarget, Settings};

/// Where messages go, of what, and whether their secrets are kept. `known` are all pipelines there are, where every
/// repository could be read.
pub(super) fn targets(settings: &Settings, known: Option<&[Pipeline]>, findings: &mut Findings) {
    for target in &settings.notify {
        for name in known.map(|known| unknown(target, known)).unwrap_or_default() {
            findings.notice(
                format!("notify {}", target.name),
                format!("is told of nothing in `{name}`: no lockkeeper.yaml has that name"),
                "change `pipelines` and `stages` of the target",
            );
        }
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

/// Sends these targets a test.
pub(super) async fn tell(settings: &Settings, names: &[String], findings: &mut Findings) {
    for name in names {
        let subject = format!("test of notify {name}");
        let Some(target) = settings.notify.iter().find(|target| &target.name == name) else {
            let known = joined(settings.notify.iter().map(|target| &target.name));
            findings.bad(subject, format!("there is no such target; there are {known}"), "--tell TARGET");
            continue;
        };
        match notify::test(target, Timestamp::now()).await {
            Ok(()) => findings.good(subject, format!("{} took it", target.address.host())),
            Err(reason) => findings.bad(
                subject,
                format!("{} did not take it: {reason}", target.address.host()),
                "check the address of the target, and what its receiver says",
            ),
        }
    }
}

/// The pipelines and stages of a target that nobody has.
fn unknown(target: &NotifyTarget, known: &[Pipeline]) -> Vec<String> {
    let pipelines = target.pipelines.iter().flatten();
    let pipelines = pipelines.filter(|name| !known.iter().any(|pipeline| pipeline.name == **name));
    let of = |name| known.iter().any(|pipeline| pipeline.stage(name).is_some());
    let stages = target.stages.iter().flatten().filter(|name| !of(name));
    pipelines.map(ToString::to_string).chain(stages.map(ToString::to_string)).collect()
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
