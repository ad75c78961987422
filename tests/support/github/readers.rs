//! What tests ask the fake directly.

use super::Fake;
use super::model::{CheckRun, Comment, Deployment, Person, Reaction, Review, Thread};
use super::world::World;

impl Fake {
    fn read<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        let mut world = self.world();
        world.look();
        read(&world)
    }

    /// All pull requests, oldest first.
    pub fn pull_requests(&self) -> Vec<Thread> {
        self.read(|world| {
            world.model.threads.values().filter(|thread| thread.pull.is_some()).cloned().collect()
        })
    }

    /// All issues that are no pull requests, oldest first.
    pub fn issues(&self) -> Vec<Thread> {
        self.read(|world| {
            world.model.threads.values().filter(|thread| thread.pull.is_none()).cloned().collect()
        })
    }

    /// A pull request or issue.
    pub fn thread(&self, number: u64) -> Thread {
        self.read(|world| world.model.threads[&number].clone())
    }

    /// The comments of a pull request or issue, oldest first.
    pub fn comments(&self, number: u64) -> Vec<Comment> {
        let is_it = |comment: &&Comment| comment.thread == number;
        self.read(|world| world.model.comments.values().filter(is_it).cloned().collect())
    }

    pub fn reviews(&self, number: u64) -> Vec<Review> {
        let is_it = |review: &&Review| review.thread == number;
        self.read(|world| world.model.reviews.values().filter(is_it).cloned().collect())
    }

    pub fn reactions(&self, comment: u64) -> Vec<Reaction> {
        let is_it = |reaction: &&Reaction| reaction.comment == comment;
        self.read(|world| world.model.reactions.values().filter(is_it).cloned().collect())
    }

    /// All check runs on a commit, oldest first.
    pub fn check_runs(&self, head: &str) -> Vec<CheckRun> {
        let is_it = |check: &&CheckRun| check.head == head;
        self.read(|world| world.model.checks.values().filter(is_it).cloned().collect())
    }

    pub fn deployments(&self) -> Vec<Deployment> {
        self.read(|world| world.model.deployments.values().cloned().collect())
    }

    pub fn person(&self, id: u64) -> Person {
        self.read(|world| world.model.person(id).clone())
    }

    /// The commit that a branch is at.
    pub fn head(&self, branch: &str) -> Option<String> {
        self.read(|world| world.model.heads.get(branch).cloned())
    }
}
