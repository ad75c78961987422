//! From what is known of a build to its tags and labels; nothing is read here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use semver::Version;

use super::build::Build;
use crate::cli::{CliError, Exit};
use crate::image::Tag;
use crate::pipeline::version_of;
use crate::repository::Checkout;

/// What is known of the build.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The work tree; none where the folder lies in none.
    pub(super) checkout: Option<Checkout>,
    /// The version that a file or the call names.
    pub(super) version: Option<Version>,
    /// Whether the tags of a version are wanted.
    pub(super) has_version: bool,
    /// The run of the CI.
    pub(super) build: Option<Build>,
    /// `SOURCE_DATE_EPOCH`, in seconds.
    pub(super) epoch: Option<String>,
}

/// The tags and labels of one build.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TagSet {
    /// The version.
    pub(super) version: Option<Version>,
    /// The commit, where the image is what that commit gives.
    pub(super) revision: Option<String>,
    /// Tags that name this build for good.
    pub(super) unique: Vec<Tag>,
    /// Tags that the next build takes over.
    pub(super) moving: Vec<Tag>,
    /// Labels of the image.
    ///
    /// Source: OCI image specification, annotations ("Pre-Defined Annotation Keys").
    pub(super) labels: BTreeMap<String, String>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

/// Hex digits of a commit in `git-…`, as in all of our texts.
const COMMIT_DIGITS: usize = 12;
/// Hex digits of a commit beside a version and a build, which tell already.
const COMMIT_DIGITS_FEW: usize = 7;

impl TagSet {
    /// The tags and labels.
    ///
    /// # Errors
    /// Exit 5 where nothing tells what is built, 6 where the version is that of another commit, 2 for the id of a build
    /// that fits into no tag.
    pub(super) fn of(facts: &Facts) -> Result<Self, CliError> {
        let mut set = Self::default();
        let dirty = facts.checkout.as_ref().filter(|checkout| checkout.changed.is_some());
        if let Some(checkout) = dirty {
            set.moving.push(tag(&format!("git-{}-dirty", digits(checkout, COMMIT_DIGITS)))?);
        } else {
            set.add_version(facts)?;
            set.add_commit_and_build(facts)?;
        }
        if set.unique.is_empty() && set.moving.is_empty() {
            return Err(CliError::new(Exit::NotFound, "nothing tells what is built here")
                .why("there is no git work tree, no version file and no id of a build")
                .next("name a version: lockkeeper tags --release 1.4.2"));
        }
        set.label(facts);
        Ok(set)
    }

    fn add_version(&mut self, facts: &Facts) -> Result<(), CliError> {
        let versions_here = || facts.checkout.iter().flat_map(|checkout| &checkout.tags_here);
        let tagged = versions_here().filter_map(|tag| version_of(tag)).max();
        if !facts.has_version {
            return Ok(());
        }
        let Some(version) = facts.version.clone().or_else(|| tagged.clone()) else {
            self.notes.push("no version file and no git tag on the commit: no tags of a version".to_owned());
            return Ok(());
        };
        if let Some(tagged) = tagged.filter(|tagged| *tagged != version) {
            self.notes.push(format!("git calls the commit {tagged}, the build {version}"));
        }
        let known: Vec<&String> = facts.checkout.iter().flat_map(|checkout| &checkout.tags).collect();
        let is_here = versions_here().any(|tag| version_of(tag).as_ref() == Some(&version));
        let elsewhere = known.iter().find(|tag| version_of(tag).as_ref() == Some(&version));
        if let Some(name) = elsewhere.filter(|_| !is_here) {
            return Err(CliError::new(Exit::Refused, format!("{version} is the version of another commit"))
                .why(format!("the git tag {name} names that one; a version has one build"))
                .next("raise the version, or build with --no-version"));
        }
        self.unique.push(tag(&version.to_string())?);
        // Whose version it is, and whether there are later ones, tags alone can tell.
        if known.is_empty() && facts.checkout.as_ref().is_some_and(|checkout| checkout.is_shallow) {
            self.notes.push(format!(
                "this clone is shallow and has no tags: whether {version} is another commit's is not known, and no tag moves; \
                 fetch them (git fetch --tags --unshallow; `fetch-depth: 0` in a checkout of GitHub's)"
            ));
            self.version = Some(version);
            return Ok(());
        }
        self.add_lines(&version, known.iter().filter_map(|tag| version_of(tag)).collect())?;
        self.version = Some(version);
        Ok(())
    }

    /// The moving tags of its minor and major line, unless a later version of that line is known: they would go back.
    /// A pre-release has none, and neither has major version 0, of which each minor breaks the one before.
    fn add_lines(&mut self, version: &Version, known: Vec<Version>) -> Result<(), CliError> {
        if !version.pre.is_empty() {
            return Ok(());
        }
        let later: Vec<Version> =
            known.into_iter().filter(|other| other.pre.is_empty() && other > version).collect();
        let Version { major, minor, .. } = *version;
        let mut add = |line: String, later: Option<&Version>| match later {
            None => tag(&line).map(|tag| self.moving.push(tag)),
            Some(later) => {
                self.notes.push(format!("{line} stays with {later}, which is later"));
                Ok(())
            }
        };
        add(
            format!("{major}.{minor}"),
            later.iter().filter(|other| (other.major, other.minor) == (major, minor)).max(),
        )?;
        if major > 0 {
            add(format!("{major}"), later.iter().filter(|other| other.major == major).max())?;
        }
        Ok(())
    }

    fn add_commit_and_build(&mut self, facts: &Facts) -> Result<(), CliError> {
        if let Some(checkout) = &facts.checkout {
            self.unique.push(tag(&format!("git-{}", digits(checkout, COMMIT_DIGITS)))?);
            self.revision = Some(checkout.head.to_string());
        }
        let Some(build) = &facts.build else { return Ok(()) };
        let refused = |error: CliError| {
            CliError::new(Exit::Usage, format!("`{:.60}` cannot be the id of a build", build.id))
                .why(error.why.unwrap_or(error.what))
        };
        self.unique.push(tag(&format!("build-{}", build.id)).map_err(refused)?);
        if let (Some(version), Some(checkout)) = (&self.version, &facts.checkout) {
            let commit = digits(checkout, COMMIT_DIGITS_FEW);
            self.unique.push(tag(&format!("{version}-build{}-{commit}", build.id)).map_err(refused)?);
        }
        Ok(())
    }

    fn label(&mut self, facts: &Facts) {
        let epoch = facts.epoch.as_ref().and_then(|seconds| seconds.parse().ok());
        let epoch = epoch.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let created = epoch.or(facts.checkout.as_ref().map(|checkout| checkout.committed));
        let origin = facts.checkout.as_ref().and_then(|checkout| checkout.origin.as_deref());
        let labels = [
            ("version", self.version.as_ref().map(ToString::to_string)),
            ("revision", self.revision.clone()),
            ("source", origin.and_then(page)),
            ("created", created.map(|created| created.to_string())),
        ];
        self.labels = labels
            .into_iter()
            .filter_map(|(name, value)| Some((format!("org.opencontainers.image.{name}"), value?)))
            .collect();
    }
}

fn tag(text: &str) -> Result<Tag, CliError> {
    text.parse().map_err(|error: crate::image::ReferenceError| {
        CliError::new(Exit::Usage, format!("`{text:.150}` is no tag")).why(error.to_string())
    })
}

fn digits(checkout: &Checkout, count: usize) -> String {
    checkout.head.to_string().chars().take(count).collect()
}

/// The page of a repository, of where git fetches it from: without user and password, and without `.git`. None for a path
/// on this machine.
pub(super) fn page(origin: &str) -> Option<String> {
    let (host, path) = match origin.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // scp's form: user@host:path
        None => origin.split_once(':').filter(|(host, _)| host.contains('@'))?,
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    // The port of ssh is none of the pages'.
    let host = if origin.starts_with("http") { host } else { host.split(':').next().unwrap_or(host) };
    let path = path.trim_matches('/').trim_end_matches(".git");
    let is_clean = !host.is_empty() && !path.is_empty() && !origin.contains(char::is_whitespace);
    let scheme = if origin.starts_with("http://") { "http" } else { "https" };
    is_clean.then(|| format!("{scheme}://{host}/{path}"))
}
