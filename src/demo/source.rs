//! The repository of the source: whose commits stand behind which image.

use jiff::Timestamp;

use super::DemoError;
use super::cast::email;
use super::folder::Folder;
use crate::repository::{
    CommitId, Credentials, Edit, Location, Mirror, RefUpdate, RepositoryError, Signature, create_bare,
};

/// The address in the images' labels, by which the forge finds the repository.
pub(super) const ADDRESS: &str = "https://git.shop.example/checkout";
/// Its folder.
pub(super) const NAME: &str = "checkout.git";

const BRANCH: &str = "main";
const FILE: &str = "checkout.txt";

/// The repository, and what stands at the tip of its branch.
pub(super) struct Source {
    mirror: Mirror,
    tip: CommitId,
    text: String,
}

impl Source {
    /// A repository with one commit of this author.
    pub(super) async fn create(folder: &Folder, author: &str, message: &str) -> Result<Self, DemoError> {
        let text = format!("{message}\n");
        let path = folder.join(NAME);
        let files = [(FILE.to_owned(), text.clone().into_bytes())];
        let made = create_bare(&path, BRANCH, &files, &format!("{message}\n"), &signature(author)).await;
        let tip = made.map_err(refused)?;
        let mirror = Mirror::open(Location::File(path), &folder.join("source"), Credentials::default()).await;
        Ok(Self { mirror: mirror.map_err(refused)?, tip, text })
    }

    /// The commit at the tip of the branch.
    pub(super) fn tip(&self) -> CommitId {
        self.tip
    }

    /// Commits and pushes a change of this author, and returns the commit.
    pub(super) async fn commit(&mut self, author: &str, message: &str) -> Result<CommitId, DemoError> {
        let before = self.text.clone();
        let after = format!("{before}{message}\n");
        let edit = Edit {
            path: FILE.to_owned(),
            before: Some(before.into_bytes()),
            after: after.clone().into_bytes(),
        };
        let made =
            self.mirror.commit(self.tip, vec![edit], &format!("{message}\n"), &signature(author)).await;
        let new = made.map_err(refused)?;
        let name = format!("refs/heads/{BRANCH}");
        let update = RefUpdate { name, old: Some(self.tip), new: Some(new) };
        self.mirror.push(vec![update]).await.map_err(refused)?;
        (self.tip, self.text) = (new, after);
        Ok(new)
    }
}

fn signature(author: &str) -> Signature {
    Signature { name: author.to_owned(), email: email(author), at: Timestamp::now() }
}

fn refused(error: RepositoryError) -> DemoError {
    DemoError::Part { part: "the source repository", source: error.into() }
}
