//! What registries say, as data: the questions that the rules have, and the answers that were got.

use std::collections::{BTreeMap, BTreeSet};

use crate::image::{Digest, Repository, Tag};

/// Something to be asked of a registry, once in a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// What the tag names.
    Named(Repository, Tag),
    /// Whether the digest is there, and what it is.
    Held(Repository, Digest),
}

/// What a tag or digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The digest.
    pub digest: Digest,
    /// The digests of the manifests of an index, by platform; empty: it is a manifest itself.
    pub platforms: Vec<(String, Digest)>,
}

/// Why a registry gave no such answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It says that it does not have it.
    Missing,
    /// It could not be asked, or its answer cannot be used: nothing is known.
    Unknown(String),
}

/// An answer.
pub type Answer = Result<Held, Trouble>;

/// All answers so far.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    answers: BTreeMap<Question, Answer>,
}

impl Question {
    /// The repository that is asked.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        match self {
            Self::Named(repository, _) | Self::Held(repository, _) => repository,
        }
    }

    /// The question in the one spelling that all names of a repository share.
    fn canonical(self) -> Self {
        let canonical = |repository: Repository| repository.canonical().parse().unwrap_or(repository);
        match self {
            Self::Named(repository, tag) => Self::Named(canonical(repository), tag),
            Self::Held(repository, digest) => Self::Held(canonical(repository), digest),
        }
    }
}

impl Facts {
    /// Keeps an answer.
    pub fn insert(&mut self, question: Question, answer: Answer) {
        self.answers.insert(question.canonical(), answer);
    }

    pub(super) fn named(&self, repository: &Repository, tag: &Tag) -> Option<&Answer> {
        self.get(Question::Named(repository.clone(), tag.clone()))
    }

    pub(super) fn held(&self, repository: &Repository, digest: Digest) -> Option<&Answer> {
        self.get(Question::Held(repository.clone(), digest))
    }

    /// Those of these questions that have no answer yet, each once.
    pub(super) fn open(&self, questions: impl Iterator<Item = Question>) -> Vec<Question> {
        let wanted: BTreeSet<Question> = questions.map(Question::canonical).collect();
        wanted.into_iter().filter(|question| !self.answers.contains_key(question)).collect()
    }

    /// The answer to a question, where it was asked.
    #[must_use]
    pub fn get(&self, question: Question) -> Option<&Answer> {
        self.answers.get(&question.canonical())
    }

    /// How many questions were answered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether nothing was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}
