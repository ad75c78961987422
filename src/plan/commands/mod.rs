//! What people ask for: one comment at a time, by who they are now, all of its lines or none.

mod authorise;
mod execute;
mod freeze;
mod hotfix;
mod promote;
mod rollback;
mod veto;

pub(super) use rollback::going_back;

use std::collections::BTreeSet;

use super::effect::{Effect, HoldReason, Plan};
use super::messages::code;
use super::snapshot::{Asked, Snapshot, Thread};
use crate::command::{self, AskedLane, Command, Target};
use crate::image::Release;
use crate::promotion::{Entry, Event, Outcome, State};
use crate::pull_request::Reaction;

/// Why a command is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// How the command ends.
    pub(super) outcome: Outcome,
    /// Why, Markdown for the reply.
    pub(super) text: String,
    /// What it waits for, where it is not over: it has no answer yet.
    pub(super) waits: Option<Box<HoldReason>>,
}

impl Refusal {
    fn refused(text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Refused, text: text.into(), waits: None }
    }

    fn denied(text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Denied, text: text.into(), waits: None }
    }

    fn waits(hold: HoldReason) -> Self {
        Self { outcome: Outcome::Refused, text: hold.text.clone(), waits: Some(Box::new(hold)) }
    }
}

/// Answers the oldest comment that holds commands: one layer of the plan. The next one is answered by the next plan,
/// which sees what this one did. One that waits for what could not be read keeps no other waiting.
pub(super) fn obey(snapshot: &Snapshot, plan: &mut Plan) {
    let open = snapshot.asked.iter().filter(|asked| !snapshot.state.is_answered(&asked.key));
    for asked in open {
        if let Some((events, outcome, text)) = answer(snapshot, asked, &mut plan.unanswered) {
            for event in events {
                plan.record(snapshot.now, event);
            }
            let command = asked.key.clone();
            let place = match asked.thread {
                Thread::Forge { number, comment } => Some((number, comment)),
                Thread::CommandLine => None,
            };
            plan.record(snapshot.now, Event::Answered { command, place, outcome, text });
            // It is taken, whatever happens now: who wrote it sees that before the world is read anew for the reply.
            if let Some((_, comment)) = place {
                plan.push(Effect::React { comment, reaction: Reaction::Eyes });
            }
            return;
        }
    }
}

/// The events and the reply of one comment; none where it holds no command, or waits.
fn answer(
    snapshot: &Snapshot,
    asked: &Asked,
    unanswered: &mut Vec<HoldReason>,
) -> Option<(Vec<Event>, Outcome, String)> {
    let parsed = parse(snapshot, asked)?;
    let commands = match parsed {
        Ok(commands) => commands,
        Err(text) => return Some((Vec::new(), Outcome::Unknown, text)),
    };
    if asked.edited {
        let text =
            "This comment was edited, and edited comments are not carried out. Write a new one.".to_owned();
        return Some((Vec::new(), Outcome::Refused, text));
    }
    Some(match run(snapshot, asked, &commands) {
        Ok((events, text)) => (events, Outcome::Done, text),
        Err(Refusal { waits: Some(hold), .. }) => {
            unanswered.push(*hold);
            return None;
        }
        Err(refusal) => (Vec::new(), refusal.outcome, refusal.text),
    })
}

/// The releases that people name for a stage and that have no answer yet: something is to be known of them by then.
pub(super) fn named_releases(snapshot: &Snapshot) -> Vec<Release> {
    let open = snapshot.asked.iter().filter(|asked| !snapshot.state.is_answered(&asked.key));
    let commands = open.filter_map(|asked| parse(snapshot, asked)?.ok()).flatten();
    let targets = commands.filter_map(|command| {
        let (Command::Promote { to: target, .. } | Command::Unveto { target, .. }) = command else {
            return None;
        };
        target
    });
    let stages = &snapshot.pipeline.stages;
    let found = |target: Target| {
        stages.iter().filter_map(move |stage| promote::named_release(snapshot, stage, &target).ok())
    };
    let hotfixes = snapshot.hotfixes.values().filter_map(|release| release.as_ref().ok().cloned());
    targets.flat_map(found).chain(hotfixes).collect()
}

/// The releases that people want by a hotfix and that have no answer yet, as they name them.
#[must_use]
pub fn hotfix_targets(snapshot: &Snapshot) -> Vec<Target> {
    let open = snapshot.asked.iter().filter(|asked| !snapshot.state.is_answered(&asked.key));
    let commands = open.filter_map(|asked| parse(snapshot, asked)?.ok()).flatten();
    let targets = commands.filter_map(|command| {
        let Command::Promote { to, lane: AskedLane::Hotfix, .. } = command else { return None };
        to
    });
    targets.collect()
}

/// The releases that stages may be taken back to: of each the registry is asked whether it has it.
#[must_use]
pub fn rollback_targets(snapshot: &Snapshot) -> Vec<Release> {
    let open = snapshot.asked.iter().filter(|asked| !snapshot.state.is_answered(&asked.key));
    let commands = open.filter_map(|asked| parse(snapshot, asked)?.ok()).flatten();
    let named: Vec<Target> = commands
        .filter_map(|command| if let Command::Rollback { to, .. } = command { to } else { None })
        .collect();
    rollback::targets(snapshot, &named)
}

/// The commands of a comment; none where there are none, an error text where they are not understood.
fn parse(snapshot: &Snapshot, asked: &Asked) -> Option<Result<Vec<Command>, String>> {
    if asked.person.bot || asked.person.id == snapshot.me.id {
        return None;
    }
    match command::parse(&asked.body, &snapshot.me.name, &known_words(snapshot)) {
        Ok(commands) if commands.is_empty() => None,
        Ok(commands) => Some(Ok(commands)),
        Err(error) => Some(Err(format!("{error}\n\n{}", command::help_text()))),
    }
}

/// The names of all stages and groups.
fn known_words(snapshot: &Snapshot) -> BTreeSet<String> {
    let stages = snapshot.pipeline.stages.iter();
    stages
        .flat_map(|stage| [Some(&stage.name), stage.group.as_ref()])
        .flatten()
        .map(ToString::to_string)
        .collect()
}

/// Carries out all commands on a copy of the state, so that the second sees what the first did; one refusal drops all.
fn run(snapshot: &Snapshot, asked: &Asked, commands: &[Command]) -> Result<(Vec<Event>, String), Refusal> {
    let mut scratch = snapshot.clone();
    let mut events = Vec::new();
    let mut replies = Vec::new();
    for command in commands {
        let (new, reply) =
            execute::one(&scratch, asked, command).map_err(|refusal| named(refusal, command, commands))?;
        fold(&mut scratch.state, snapshot, &new)?;
        events.extend(new);
        replies.push(reply);
    }
    Ok((events, replies.join("\n\n")))
}

fn fold(state: &mut State, snapshot: &Snapshot, events: &[Event]) -> Result<(), Refusal> {
    for event in events {
        let entry = Entry { at: snapshot.now, event: event.clone() };
        state.apply(&entry).map_err(|error| Refusal::refused(error.to_string()))?;
    }
    Ok(())
}

/// Of several commands, the reply says which one stopped all.
fn named(refusal: Refusal, command: &Command, commands: &[Command]) -> Refusal {
    if commands.len() == 1 {
        return refusal;
    }
    let text = format!(
        "{}: {} None of the {} commands was carried out.",
        code(&format!("/{}", command.verb().name())),
        refusal.text,
        commands.len()
    );
    Refusal { text, ..refusal }
}
