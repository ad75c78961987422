//! What a plan is made from: everything that was read of the world, at one time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::live::Running;
use super::pins::Files;
use super::{Pins, read_pins};
use crate::command::Target;
use crate::commit::CommitId;
use crate::image::{Digest, Image, Release, ReleaseId, Repository, Tag};
use crate::pipeline::{FileError, ImageRule, Pipeline, Principal, RoleName, Stage, StageName};
use crate::promotion::{Actor, State};
use crate::pull_request::{
    Authors, MergeMethod, Number, Permission, Person, PersonId, PullRequest, Standing, Touched,
};
use crate::signature::Verified;

/// One pipeline and the world around it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was read.
    pub now: Timestamp,
    /// The environment repository, as the settings name it.
    pub repository: String,
    /// The base branch.
    pub base_branch: String,
    /// Its tip, read after the pull requests.
    pub base: CommitId,
    /// The rules.
    pub pipeline: Pipeline,
    /// Whether they are those of the tip.
    pub file: FileState,
    /// The folded history.
    pub state: State,
    /// The bytes of every file that has pins, at the tip; none: there is no such file; an error says why it cannot be
    /// read.
    pub files: Files,
    /// What the follow rules pick now, in the order of the pipeline's images.
    pub picks: Vec<Pick>,
    /// The earlier picks that the registry still has: each under its tag, or, of a tag that moves, at all.
    pub standing: BTreeSet<ReleaseId>,
    /// What is known of the images concerned; an error says why nothing is known.
    pub images: BTreeMap<Digest, Result<Image, Unread>>,
    /// Tags that were found on the images that are proposed. There may be others.
    pub tags: BTreeMap<Digest, Vec<Tag>>,
    /// The pull requests concerned: those under way and those merged last.
    pub pull_requests: BTreeMap<Number, PullRequest>,
    /// What people asked for and has no answer yet, oldest first.
    pub asked: Vec<Asked>,
    /// Who those people are now.
    pub standings: BTreeMap<PersonId, Standing>,
    /// Who wrote the commits behind the release under way, by stage.
    pub authors: BTreeMap<StageName, Authors>,
    /// Which commits a rollback under way undoes that touched what its image names, from what is restored to what is there.
    pub touched: BTreeMap<(Digest, Digest), Touched>,
    /// The rules of `lockkeeper.yaml` at the base of the pull request under way, by stage, where they could be read.
    pub rules_at_open: BTreeMap<StageName, Pipeline>,
    /// The bytes of the files with pins at the base of the pull request under way, by stage, where the base has moved.
    pub files_at_open: BTreeMap<StageName, Files>,
    /// Whether the registry has what a rollback may need.
    pub presence: BTreeMap<(Repository, Digest), Presence>,
    /// What the probes said of what is live, of what would be gone back to, and of channels.
    pub probes: BTreeMap<Question, Probed>,
    /// What is known of what runs, by stage, where somebody observes it.
    pub running: BTreeMap<StageName, Running>,
    /// Whether somebody is named who sets tags in a repository; an error says why that is not known. Those where no tag
    /// has to be set are left out.
    pub tagging: BTreeMap<Repository, Result<bool, String>>,
    /// Tags that could not be set, why, and when they are tried again.
    pub untaggable: BTreeMap<(Repository, Tag), (String, Timestamp)>,
    /// What is known of the signatures of the images that may go in, where they need one.
    pub signatures: BTreeMap<(Repository, Digest), SignatureState>,
    /// What `lockkeeper lint` says of the files of a stage as they would be after what is proposed there is merged, where a
    /// gate asks for that; an error says why that is not known.
    pub linted: BTreeMap<StageName, Result<Linted, String>>,
    /// What people mean who want a hotfix and have no answer yet, by what they wrote; an error says why there is no such
    /// release, or why that is not known.
    pub hotfixes: BTreeMap<Target, Result<Release, Unread>>,
    /// Whether the forge takes no words now: what is due to be said waits, and stops nothing.
    pub is_muted: bool,
    /// Who we are at the forge.
    pub me: Person,
    /// What the settings say.
    pub settings: PlanSettings,
}

/// The settings that a plan needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanSettings {
    /// A command older than this is answered, not carried out.
    pub command_age_max: Duration,
    /// How pull requests are merged.
    pub merge_method: MergeMethod,
    /// The page of a pull request or issue is this and its number.
    pub url_prefix: String,
    /// Addresses without `https://`, hosts or folders of them, below which messages may link to sources and builds.
    pub source_links: Vec<String>,
    /// Whether the forge shows deployments.
    pub has_deployments: bool,
    /// How long an answer of the probes says something of what is there now.
    pub probes_count_for: Duration,
}

/// How `lockkeeper.yaml` stands at the tip of the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// Valid: its rules count.
    Valid,
    /// Broken: the rules are those of its last valid commit, and only rollback and hold work.
    Broken {
        /// What is wrong.
        errors: Vec<FileError>,
        /// The commit whose rules are used.
        used: CommitId,
    },
    /// Valid, and the pipeline is not in it any more.
    Removed,
}

/// What `lockkeeper lint` says of the files of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linted {
    /// With this release in them.
    pub release: ReleaseId,
    /// How many files.
    pub files: usize,
    /// How many errors.
    pub errors: usize,
    /// The first of them: file, line, rule and what is wrong.
    pub first: Option<String>,
}

/// Why nothing is known of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// The registry says that it, or what it consists of, is not there.
    #[error("{0}")]
    Absent(String),
    /// The registry could not be asked, or what it said cannot be trusted.
    #[error("{0}")]
    Unknown(String),
}

/// What a follow rule picks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// This tag, which has this digest.
    Found {
        /// The tag.
        tag: Tag,
        /// Its digest, hashed by us.
        digest: Digest,
    },
    /// No tag fits the rule.
    Nothing,
    /// There are tags, and none of them can be followed: why, until somebody changes tags or rule.
    Refused(String),
    /// The registry gave no answer; why.
    Failed(String),
}

/// Whether a digest and all its platforms are in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is, on so many platforms.
    Present(usize),
    /// The registry says that something of it is not there.
    Absent(String),
    /// The registry could not be asked.
    Unknown(String),
}

/// What registries are asked on a schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Whether everything of this image is there.
    Image(Repository, Digest),
    /// What this tag names.
    Channel(Repository, Tag),
}

/// What the last probes said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Probed {
    /// The last answer, and when it was asked for.
    pub answer: Option<(Timestamp, Answer)>,
    /// Since when the registry gives none, and why.
    pub silent: Option<(Timestamp, String)>,
}

/// An answer of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It has the image, on so many platforms.
    Present(usize),
    /// This is not there.
    Missing(String),
    /// The tag names this; none: there is no such tag.
    Names(Option<Digest>),
}

/// Whether a digest is signed by one of those who have to have signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureState {
    /// It is.
    Good(Verified),
    /// The registry has no signature that counts; why.
    Missing(String),
    /// The registry could not be asked, or what it has cannot be read; why.
    Unknown(String),
}

/// A comment or command line that may hold commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The key: `comment:12`, `cli:…`.
    pub key: String,
    /// The text, Markdown.
    pub body: String,
    /// Who wrote it.
    pub person: Person,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub thread: Thread,
    /// The stage of the pull request, read from its branch, where the record does not know the pull request.
    pub stage: Option<StageName>,
    /// Whether it was changed after it was written: then it is never carried out.
    pub edited: bool,
}

/// Where a command was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thread {
    /// On a pull request of ours or the operations issue, as this comment.
    Forge {
        /// The pull request or issue.
        number: Number,
        /// The comment.
        comment: u64,
    },
    /// On the command line.
    CommandLine,
}

impl Snapshot {
    /// The rules and the record at a commit of the base, with nothing of the world read yet.
    #[must_use]
    pub fn unread(
        now: Timestamp,
        base: CommitId,
        pipeline: Pipeline,
        state: State,
        me: Person,
        settings: PlanSettings,
    ) -> Self {
        Self {
            now,
            repository: String::new(),
            base_branch: String::new(),
            base,
            pipeline,
            file: FileState::Valid,
            state,
            files: Files::new(),
            picks: Vec::new(),
            standing: BTreeSet::new(),
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            pull_requests: BTreeMap::new(),
            asked: Vec::new(),
            standings: BTreeMap::new(),
            authors: BTreeMap::new(),
            touched: BTreeMap::new(),
            rules_at_open: BTreeMap::new(),
            files_at_open: BTreeMap::new(),
            presence: BTreeMap::new(),
            probes: BTreeMap::new(),
            running: BTreeMap::new(),
            tagging: BTreeMap::new(),
            untaggable: BTreeMap::new(),
            signatures: BTreeMap::new(),
            linted: BTreeMap::new(),
            hotfixes: BTreeMap::new(),
            is_muted: false,
            me,
            settings,
        }
    }

    /// What a stage pins at the tip.
    #[must_use]
    pub fn pins(&self, stage: &Stage) -> Pins {
        read_pins(&self.pipeline, stage, &self.files)
    }

    /// The page of a pull request or issue.
    #[must_use]
    pub fn url(&self, number: Number) -> String {
        format!("{}{number}", self.settings.url_prefix)
    }

    /// The pull request under way in a stage.
    #[must_use]
    pub fn pull_request_of(&self, stage: &StageName) -> Option<&PullRequest> {
        let (number, _) = self.state.stage(stage)?.proposal.as_ref()?.open.as_ref()?;
        self.pull_requests.get(number)
    }

    /// The stage that a pull request of ours is (or was) for.
    #[must_use]
    pub fn stage_of(&self, number: Number) -> Option<&StageName> {
        self.state.stage_of(number)
    }

    /// What is known of each image of a release, in its order.
    pub fn facts<'a>(
        &'a self,
        release: &'a Release,
    ) -> impl Iterator<Item = (&'a Repository, Option<&'a Image>)> {
        release.images().map(|(repository, pinned)| {
            (repository, self.images.get(&pinned.digest).and_then(|image| image.as_ref().ok()))
        })
    }

    /// What is known of the signature of a digest, by those whom this rule names.
    #[must_use]
    pub fn signature(&self, rule: &ImageRule, digest: Digest) -> Option<&SignatureState> {
        self.signatures.get(&(rule.repository.clone(), digest))
    }

    /// Whether a person is one of these principals now. Nobody is where nothing is known of the person.
    #[must_use]
    pub fn is_any(&self, person: PersonId, principals: &[Principal]) -> bool {
        let Some(standing) = self.standings.get(&person) else { return false };
        principals.iter().any(|principal| is(standing, principal))
    }

    /// The permission of a person now.
    #[must_use]
    pub fn permission(&self, person: PersonId) -> Permission {
        self.standings.get(&person).map_or(Permission::None, |standing| standing.permission)
    }
}

/// Whether this person is that principal.
#[must_use]
pub fn is(standing: &Standing, principal: &Principal) -> bool {
    match principal {
        Principal::Team(team) => standing.teams.contains(team),
        Principal::User(user) => &standing.person.name == user,
        Principal::Role(RoleName::Write) => standing.permission >= Permission::Write,
        Principal::Role(RoleName::Admin) => standing.permission >= Permission::Admin,
    }
}

impl Asked {
    /// The person as an actor of the record.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { id: self.person.id, name: self.person.name.clone(), via: self.key.replace(':', " ") }
    }
}
