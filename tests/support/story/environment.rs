//! The environment repository: its files, and what git and people do to it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use lockkeeper::repository::{Credentials, Edit, Location, Mirror, RefUpdate, Signature, create_bare};

use super::cast::{email, manifest, person, repository};
use super::{Checked, FakeRegistry, Side, Story, text};

impl Story {
    pub(super) async fn change_file(&mut self, path: &str, bytes: Vec<u8>) -> Checked {
        let before = self.files.insert(path.to_owned(), bytes.clone());
        let Some(running) = &self.running else { return Ok(()) };
        let mirror = running.mirror.clone();
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let before = mirror.read(base, path).await.map_err(text)?.or(before.filter(|_| false));
        let edit = Edit { path: path.to_owned(), before, after: bytes };
        let commit =
            mirror.commit(base, vec![edit], "a person's commit\n", &self.somebody()).await.map_err(text)?;
        let update = RefUpdate { name: "refs/heads/main".to_owned(), old: Some(base), new: Some(commit) };
        mirror.push(vec![update]).await.map_err(text)?;
        self.pushed().await
    }

    pub(super) async fn pin(&mut self, stage: &str, image: &str, tag: &str, rest: &[&str]) -> Checked {
        let name = repository(image);
        let reference = match rest {
            ["tag-only"] => format!("{name}:{tag}"),
            [] => format!("{name}:{tag}@{}", FakeRegistry::digest(&name, tag)),
            _ => return Err("pin STAGE IMAGE TAG [tag-only]".to_owned()),
        };
        let path = format!("env/{stage}/{image}.yaml");
        self.change_file(&path, manifest(image, &reference).into_bytes()).await
    }

    pub(super) fn somebody(&self) -> Signature {
        Signature { name: "somebody".to_owned(), email: "somebody@example.com".to_owned(), at: self.now() }
    }

    pub(super) fn bare(&self) -> PathBuf {
        self.folder.path().join("env.git")
    }

    /// The git host refuses every ref whose name has this word.
    pub(super) fn git_refuses(&self, word: &str) -> Checked {
        let hooks = self.bare().join("hooks");
        std::fs::create_dir_all(&hooks).map_err(text)?;
        let script =
            format!("#!/bin/sh\ncase \"$1\" in *{word}*) echo 'not in these days' >&2; exit 1;; esac\n");
        std::fs::write(hooks.join("update"), script).map_err(text)?;
        std::fs::set_permissions(hooks.join("update"), std::fs::Permissions::from_mode(0o755)).map_err(text)
    }

    pub(super) async fn person_pushes(&mut self, stage: &str) -> Checked {
        let pull_request = self.open_pull_request(stage).await?;
        let mirror = self.running()?.mirror.clone();
        let edit = Edit { path: "notes.txt".to_owned(), before: None, after: b"hello\n".to_vec() };
        let head = mirror
            .commit(pull_request.head, vec![edit], "sneak in\n", &self.somebody())
            .await
            .map_err(text)?;
        let name = format!("refs/heads/{}", pull_request.branch);
        mirror
            .push(vec![RefUpdate { name, old: Some(pull_request.head), new: Some(head) }])
            .await
            .map_err(text)?;
        self.running()?.host.pushed(Some(pull_request.number));
        self.acted().await
    }

    /// Somebody pushed to the base: GitHub tells, the local forge is over a git that tells nobody.
    async fn pushed(&mut self) -> Checked {
        if self.running()?.host.pushed(None) { self.settle().await } else { self.look().await }
    }

    /// A commit of this person in the source repository of the images.
    pub(super) async fn source(&mut self, name: &str, person: &str) -> Checked {
        let path = self.folder.path().join("source.git");
        let email = email(super::cast::person(person).id, person);
        let author = Signature { name: person.to_owned(), email, at: self.now() };
        if !path.exists() {
            create_bare(&path, "main", &[("README".to_owned(), Vec::new())], "the source\n", &author)
                .await
                .map_err(text)?;
        }
        let mirror = self.folder.path().join("source-of-people");
        let mirror =
            Mirror::open(Location::File(path), &mirror, Credentials::default()).await.map_err(text)?;
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let edit = Edit { path: name.to_owned(), before: None, after: name.as_bytes().to_vec() };
        let commit = mirror.commit(base, vec![edit], "a change\n", &author).await.map_err(text)?;
        let update = RefUpdate { name: "refs/heads/main".to_owned(), old: Some(base), new: Some(commit) };
        mirror.push(vec![update]).await.map_err(text)?;
        self.revisions.insert(name.to_owned(), commit);
        if let Side::GitHub(github) = &self.side {
            github.add_source(self.folder.path());
        }
        Ok(())
    }

    /// A branch of this name with a commit of somebody's own.
    pub(super) async fn person_takes(&mut self, name: &str) -> Checked {
        let mirror = self.running()?.mirror.clone();
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let edit = Edit { path: "mine.txt".to_owned(), before: None, after: b"mine\n".to_vec() };
        let commit = mirror.commit(base, vec![edit], "mine\n", &self.somebody()).await.map_err(text)?;
        self.taken.insert(name.to_owned());
        let name = format!("refs/heads/{name}");
        mirror.push(vec![RefUpdate { name, old: None, new: Some(commit) }]).await.map_err(text)?;
        self.running()?.host.pushed(None);
        Ok(())
    }

    /// The branch has the commit of [`Story::person_takes`] and no other.
    pub(super) async fn expect_taken(&self, name: &str) -> Checked {
        let mirror = &self.running()?.mirror;
        let tip = mirror.tip(name).await.map_err(text)?.ok_or("the branch is gone")?;
        let commits = mirror.first_parents(tip, 1).await.map_err(text)?;
        let message = commits.first().map(|commit| commit.message.as_str());
        if message == Some("mine\n") { Ok(()) } else { Err(format!("the branch has {message:?}")) }
    }

    /// A person's own pull request, which gives a file these contents.
    pub(super) async fn person_proposes(&mut self, path: &str, block: &str) -> Checked {
        self.deliveries += 1;
        let mirror = self.running()?.mirror.clone();
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let before = mirror.read(base, path).await.map_err(text)?;
        let edit = Edit { path: path.to_owned(), before, after: block.as_bytes().to_vec() };
        let head =
            mirror.commit(base, vec![edit], "a person's change\n", &self.somebody()).await.map_err(text)?;
        let branch = format!("person/{}", self.deliveries);
        let name = format!("refs/heads/{branch}");
        mirror.push(vec![RefUpdate { name, old: None, new: Some(head) }]).await.map_err(text)?;
        let opened = self.running()?.host.open(&person("li"), &branch, "a person's change").await?;
        self.proposed = Some(opened);
        self.acted().await
    }

    /// A person rewrites the comment on the line of the pin: the pin stays, the line is another.
    pub(super) async fn person_edits(&mut self, stage: &str, image: &str) -> Checked {
        let path = format!("env/{stage}/{image}.yaml");
        let edited = self.read(&path).await?.replace("# the pin", "# the pin, and a word");
        self.change_file(&path, edited.into_bytes()).await
    }

    pub(super) async fn read(&self, path: &str) -> Result<String, String> {
        let mirror = &self.running()?.mirror;
        let base = mirror.tip("main").await.map_err(text)?.ok_or("no main")?;
        let bytes = mirror.read(base, path).await.map_err(text)?.ok_or_else(|| format!("no {path}"))?;
        String::from_utf8(bytes).map_err(text)
    }
}
