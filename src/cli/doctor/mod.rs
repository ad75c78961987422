//! `lockkeeper doctor`: what is set up, what is not, and what to do about it.

mod cleanup;
mod cluster;
mod github;
mod host;
mod notify;
mod registry;
mod repository;

use std::path::PathBuf;

use serde_json::json;

use super::show::{Paint, Tone, document, indented, plain};
use super::{Context, Exit, Format, Outcome, pins};
use crate::observation::Workloads;
use crate::pipeline::{LiveSource, Pipelines};
use crate::settings::Settings;

/// Check settings, store, repositories, lockkeeper.yaml, registries, people and webhooks; each with its fix.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper doctor --config lockkeeper.toml\n  \
    lockkeeper doctor -o json\n  \
    lockkeeper doctor --script ci/clean-up.sh\n  \
    lockkeeper doctor --tell oncall\n\n\
    Ends with 1 where something is wrong (✖). It writes nothing but its own copy of each repository, and a mark in the\n\
    store that shows that the store can be written.")]
pub struct Args {
    /// A script that cleans a registry up: whether it would untag or delete what has to stay. May be given more than once.
    #[arg(long, value_name = "FILE")]
    script: Vec<PathBuf>,
    /// Send this target of `[[notify]]` a message that says that nothing happened. May be given more than once.
    #[arg(long, value_name = "TARGET")]
    tell: Vec<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody should know.
    Notice,
    /// It does not work.
    Bad,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
struct Finding {
    verdict: Verdict,
    /// What was looked at.
    subject: String,
    /// What was found.
    text: String,
    /// What to do.
    fix: Option<String>,
}

/// All lines so far.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    fn good(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(Verdict::Good, &subject.into(), &text.into(), None);
    }

    fn notice(&mut self, subject: impl Into<String>, text: impl Into<String>, fix: impl Into<String>) {
        self.add(Verdict::Notice, &subject.into(), &text.into(), Some(fix.into()));
    }

    fn bad(&mut self, subject: impl Into<String>, text: impl Into<String>, fix: impl Into<String>) {
        self.add(Verdict::Bad, &subject.into(), &text.into(), Some(fix.into()));
    }

    fn add(&mut self, verdict: Verdict, subject: &str, text: &str, fix: Option<String>) {
        self.found.push(Finding { verdict, subject: plain(subject), text: plain(text), fix });
    }
}

/// Checks everything, and prints a line for each.
///
/// # Errors
/// Exit 7 if standard output cannot be written.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let mut findings = Findings::default();
    match context.settings() {
        Ok(settings) => {
            findings.good("settings", "are valid");
            check(&settings, &mut findings).await;
            notify::tell(&settings, &args.tell, &mut findings).await;
            if !args.script.is_empty() {
                cleanup::scripts(&settings, &args.script, &mut findings).await;
            }
        }
        Err(error) => findings.bad("settings", error.what, error.next.unwrap_or_default()),
    }
    match args.output {
        Format::Table => pins::print(&text(context.paint(), &findings.found))?,
        Format::Json => {
            pins::print(&pins::json(&document(json!({ "findings": findings.found })))?)?;
        }
    }
    let is_bad = findings.found.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { Exit::Negative } else { Exit::Ok })
}

async fn check(settings: &Settings, findings: &mut Findings) {
    host::programs(settings, findings).await;
    host::server(settings, findings);
    host::store(settings, findings).await;
    host::webhooks(settings, findings);
    let oci = crate::server::assemble::registry(&settings.registry);
    let mut known = Some(Vec::new());
    let mut looked_at = Vec::new();
    for repository in &settings.repositories {
        repository::people(repository, findings).await;
        repository::credentials(repository, findings);
        github::look(settings, repository, findings).await;
        if let Some(pipelines) = repository::look(settings, repository, findings).await {
            looked_at.extend(workloads(&pipelines));
            host::cosign(settings, &repository.name, &pipelines, findings).await;
            for pipeline in &pipelines.pipelines {
                registry::images(&oci, &repository.name, pipeline, findings).await;
            }
            if let Some(known) = &mut known {
                known.extend(pipelines.pipelines.iter().cloned());
            }
        } else {
            known = None;
        }
    }
    registry::writers(&oci, &settings.registry, known.as_deref(), findings).await;
    notify::targets(settings, known.as_deref(), findings);
    cluster::look(settings, &looked_at, findings).await;
}

/// What stages say that they are looked at in clusters.
fn workloads(pipelines: &Pipelines) -> Vec<Workloads> {
    let stages = pipelines.pipelines.iter().flat_map(|pipeline| &pipeline.stages);
    let named = stages.filter_map(|stage| match &stage.live.source {
        LiveSource::Cluster(workloads) => Some(workloads.clone()),
        LiveSource::Merged | LiveSource::Observed => None,
    });
    named.collect()
}

fn text(paint: Paint, findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (symbol, tone) = match finding.verdict {
            Verdict::Good => ("✓", Tone::Good),
            Verdict::Notice => ("▲", Tone::Notice),
            Verdict::Bad => ("✖", Tone::Bad),
        };
        text.extend([format!("{} {}: {}\n", paint.word(tone, symbol), finding.subject, finding.text)]);
        text.extend(finding.fix.iter().map(|fix| format!("{}\n", indented(fix, "    fix: "))));
    }
    text
}
