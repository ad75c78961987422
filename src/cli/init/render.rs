//! The proposal as a commented `lockkeeper.yaml`.

use super::propose::{Proposal, ProposedFollow, ProposedPipeline, ProposedStage};

/// Words that YAML readers take for something else than text.
const NOT_TEXT: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

const HEAD: &str = "\
# What lockkeeper promotes, and by which rules. Written by `lockkeeper init`; every line is yours to change.
# It is read from the base branch only, so that a change of the rules is reviewed like everything else.
version: 1
pipelines:
";

/// The text of the file.
pub(super) fn text(proposal: &Proposal) -> String {
    let mut text = HEAD.to_owned();
    for pipeline in &proposal.pipelines {
        pipeline_text(pipeline, &mut text);
    }
    text
}

fn pipeline_text(pipeline: &ProposedPipeline, text: &mut String) {
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("  - name: {}", scalar(&pipeline.name)));
    for note in &pipeline.notes {
        line(format!("    # NOTE {}", comment(note)));
    }
    line("    # owner: team:<organisation>/<team>   # who may /promote and /veto".to_owned());
    line("    images:".to_owned());
    line(format!("      - repository: {}", scalar(pipeline.repository.as_str())));
    let follow = match &pipeline.follow {
        ProposedFollow::Semver(range) => format!("semver: {}", quoted(range)),
        ProposedFollow::Calver(format) => format!("calver: {}", quoted(format)),
        ProposedFollow::Numeric(word) => {
            format!("numeric: true, extract: {}", quoted(&format!("^{word}(?<key>[0-9]+)$")))
        }
        ProposedFollow::Tag(tag) => format!("tag: {}", quoted(tag)),
    };
    line(format!("        follow: {{ {follow} }}"));
    line("        # platforms: [linux/amd64, linux/arm64]   # all of these must be in the image".to_owned());
    line("    # start: now   # left out, nothing is proposed before the first /promote".to_owned());
    line("    stages:".to_owned());
    for stage in &pipeline.stages {
        stage_lines(stage).into_iter().for_each(&mut line);
    }
}

fn stage_lines(stage: &ProposedStage) -> Vec<String> {
    let mut lines = vec![format!("      - name: {}", scalar(&stage.name))];
    lines.extend(stage.group.iter().map(|group| format!("        group: {}", scalar(group))));
    let after: Vec<String> = stage.after.iter().map(|name| scalar(name)).collect();
    lines.push(format!("        after: [{}]", after.join(", ")));
    lines.push("        pins:".to_owned());
    lines.extend(stage.files.iter().map(|file| format!("          - {}", scalar(file))));
    match (stage.is_last, stage.after.is_empty()) {
        (true, false) => {
            lines.push("        gates:".to_owned());
            lines.push("          soak: 1d   # live and unbroken upstream for this long".to_owned());
            lines.push("          approvals: { min: 1 }   # by anyone with write permission; from: [\"team:…\"] says who".to_owned());
            lines.push("        merge: approved".to_owned());
        }
        (true, true) => lines.push("        merge: approved".to_owned()),
        (false, false) => {
            lines.push("        gates: { soak: 30m }".to_owned());
            lines.push("        merge: automatic".to_owned());
        }
        (false, true) => lines.push("        merge: automatic".to_owned()),
    }
    lines
}

/// A scalar as it is, where every reader takes it for text, else in quotes.
fn scalar(text: &str) -> String {
    let is_plain = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte))
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// In double quotes: what JSON escapes, YAML reads.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// On one line, whatever a path may contain.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
