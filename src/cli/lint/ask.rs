//! Asking registries: each question once, some at a time, and a host that does not answer not for ever.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures::StreamExt as _;

use crate::image::{Digest, Repository};
use crate::lint::{Answer, Checkout, Facts, Held, Question, Terms, Trouble};
use crate::registry::oci::OciRegistry;
use crate::registry::{Registry as _, RegistryError};

/// Questions under way at once, as many as a small registry bears.
const AT_ONCE: usize = 8;
/// Questions that a host may leave without an answer before it is asked no more.
const SILENCES_MAX: usize = 3;
/// How long it works without a word, and how often there is one then.
const PROGRESS: Duration = Duration::from_secs(3);

/// What is asked, and what was answered.
pub(super) struct Asking<'r> {
    registry: &'r OciRegistry,
    pub(super) facts: Facts,
    /// Hosts that did not answer, how often.
    silent: Mutex<BTreeMap<String, usize>>,
    begun: Instant,
    told: Instant,
}

impl<'r> Asking<'r> {
    pub(super) fn of(registry: &'r OciRegistry) -> Self {
        let now = Instant::now();
        Self { registry, facts: Facts::default(), silent: Mutex::default(), begun: now, told: now }
    }

    /// Asks until nothing is open; one answer may lead to the next question.
    pub(super) async fn answer(&mut self, checkout: &Checkout, terms: Terms) {
        loop {
            let questions = checkout.questions(terms, &self.facts);
            if questions.is_empty() {
                return;
            }
            let (count, mut done) = (questions.len(), 0_usize);
            let (registry, silent) = (self.registry, &self.silent);
            let mut answers = futures::stream::iter(questions)
                .map(|question| async move {
                    let answer = ask(registry, &question, silent).await;
                    (question, answer)
                })
                .buffer_unordered(AT_ONCE);
            while let Some((question, answer)) = answers.next().await {
                self.facts.insert(question, answer);
                done += 1;
                if self.told.elapsed() > PROGRESS {
                    self.told = Instant::now();
                    let seconds = self.begun.elapsed().as_secs();
                    // Standard error may be closed.
                    let _ = writeln!(
                        std::io::stderr(),
                        "asking registries: {done} of {count} answers after {seconds} s"
                    );
                }
            }
        }
    }
}

async fn ask(registry: &OciRegistry, question: &Question, silent: &Mutex<BTreeMap<String, usize>>) -> Answer {
    let repository = question.repository();
    let host = repository.host().unwrap_or("docker.io").to_owned();
    let silences =
        silent.lock().unwrap_or_else(PoisonError::into_inner).get(&host).copied().unwrap_or_default();
    if silences >= SILENCES_MAX {
        let reason = format!("not asked, since {host} left {silences} questions without an answer");
        return Err(Trouble::Unknown(reason));
    }
    let answer = match question {
        Question::Named(repository, tag) => match registry.resolve(repository, tag).await {
            Ok(digest) => held(registry, repository, digest).await,
            Err(error) => Err(error),
        },
        Question::Held(repository, digest) => held(registry, repository, *digest).await,
    };
    answer.map_err(|error| match error {
        RegistryError::NotFound { .. } => Trouble::Missing,
        RegistryError::Unavailable { .. } => {
            *silent.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default() += 1;
            Trouble::Unknown(error.to_string())
        }
        RegistryError::Denied { .. } | RegistryError::Untrusted { .. } => Trouble::Unknown(error.to_string()),
    })
}

async fn held(
    registry: &OciRegistry,
    repository: &Repository,
    digest: Digest,
) -> Result<Held, RegistryError> {
    let platforms = registry.platforms(repository, digest).await?;
    let platforms = platforms.into_iter().map(|(platform, digest)| (platform.to_string(), digest)).collect();
    Ok(Held { digest, platforms })
}
