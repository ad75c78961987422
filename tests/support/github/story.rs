//! What people do, for tests to tell as a story. What GitHub would refuse panics.

use serde_json::json;

use super::Fake;
use super::acts::{MergeRequest, Report};
use super::answer::Done;
use super::model::{Membership, Person, Pull, Role, Signatures, Verdict};
use super::world::World;

impl Fake {
    fn act<T>(&self, login: &str, act: impl FnOnce(&mut World, u64) -> Done<T>) -> T {
        let mut world = self.world();
        world.look();
        let by = world.person(login).id;
        let done = act(&mut world, by);
        done.unwrap_or_else(|answer| panic!("{login} is refused: {} {}", answer.status, answer.body))
    }

    pub fn open_by(&self, login: &str, head: &str, base: &str, title: &str) -> u64 {
        self.act(login, |world, by| world.open(by, head, base, title, None, false))
    }

    pub fn open_draft_by(&self, login: &str, head: &str, base: &str, title: &str) -> u64 {
        self.act(login, |world, by| world.open(by, head, base, title, None, true))
    }

    /// A draft is ready for review.
    pub fn ready(&self, login: &str, number: u64) {
        self.change_pull(login, number, "ready_for_review", |pull, _| pull.draft = false);
    }

    pub fn make_draft(&self, login: &str, number: u64) {
        self.change_pull(login, number, "converted_to_draft", |pull, _| pull.draft = true);
    }

    pub fn turn_auto_merge_on(&self, login: &str, number: u64) {
        self.change_pull(login, number, "auto_merge_enabled", |pull, by| pull.auto_merge = Some(by));
    }

    pub fn turn_auto_merge_off(&self, login: &str, number: u64) {
        self.change_pull(login, number, "auto_merge_disabled", |pull, _| pull.auto_merge = None);
    }

    /// Leads it to another base.
    pub fn retarget(&self, login: &str, number: u64, base: &str) {
        let head = self.head(base).unwrap();
        self.change_pull(login, number, "edited", |pull, _| {
            (pull.base_branch, pull.base) = (base.to_owned(), head);
        });
    }

    fn change_pull(&self, login: &str, number: u64, action: &str, change: impl FnOnce(&mut Pull, u64)) {
        self.act(login, |world, by| {
            world.pull(number)?;
            change(world.model.threads.get_mut(&number).unwrap().pull.as_mut().unwrap(), by);
            world.emit_pull(action, number, by, json!({}));
            Ok(())
        });
    }

    /// Opens a pull request from a fork, in which the branch has the name `as_name`: what stands on our branch `branch` moves
    /// there, and GitHub keeps a ref of it here.
    pub fn open_from_fork(&self, login: &str, branch: &str, as_name: &str) -> u64 {
        let number = self.open_by(login, branch, "main", "From a fork");
        let mut world = self.world();
        let pull = world.model.threads.get_mut(&number).unwrap().pull.as_mut().unwrap();
        (pull.fork, pull.head_branch) = (Some(4_711), as_name.to_owned());
        let head = pull.head.clone();
        world.git.update(&format!("refs/pull/{number}/head"), &head, "").unwrap();
        world.git.delete(&format!("refs/heads/{branch}")).unwrap();
        world.look();
        number
    }

    pub fn review(&self, login: &str, number: u64, verdict: Verdict) -> u64 {
        self.review_with(login, number, verdict, "")
    }

    pub fn review_with(&self, login: &str, number: u64, verdict: Verdict, body: &str) -> u64 {
        self.act(login, |world, by| world.review(by, number, verdict, body))
    }

    /// Reviews a head that may be an older one.
    pub fn review_of(&self, login: &str, number: u64, verdict: Verdict, head: &str) -> u64 {
        self.act(login, |world, by| world.review_of(by, number, verdict, "", head.to_owned()))
    }

    pub fn dismiss(&self, login: &str, review: u64) {
        self.act(login, |world, by| world.dismiss(by, review));
    }

    pub fn comment(&self, login: &str, number: u64, body: &str) -> u64 {
        self.act(login, |world, by| world.comment(by, number, body))
    }

    /// Tells of a comment once more, as it stands now, as if it were new.
    pub fn tell_again(&self, id: u64) {
        let mut world = self.world();
        let by = world.model.comments[&id].author;
        world.emit_comment("created", id, by, json!({}));
    }

    /// Edits a comment; the editor need not be its author.
    pub fn edit_comment(&self, editor: &str, id: u64, body: &str) {
        self.act(editor, |world, by| world.edit_comment(by, id, body));
    }

    pub fn delete_comment(&self, login: &str, id: u64) {
        self.act(login, |world, by| world.delete_comment(by, id));
    }

    pub fn edit_pull(&self, login: &str, number: u64, title: &str, body: &str) {
        self.act(login, |world, by| world.edit_thread(by, number, &json!({"title": title, "body": body})));
    }

    pub fn close(&self, login: &str, number: u64) {
        self.act(login, |world, by| world.close(by, number));
    }

    pub fn reopen(&self, login: &str, number: u64) {
        self.act(login, |world, by| world.reopen(by, number));
    }

    /// Presses the green button; returns the commit on the base branch.
    pub fn merge_by(&self, login: &str, number: u64) -> String {
        self.act(login, |world, by| world.merge(by, number, &MergeRequest::default()))
    }

    /// The same where it may be refused; the words of the refusal.
    ///
    /// # Errors
    /// What GitHub says.
    pub fn try_merge_by(&self, login: &str, number: u64) -> Result<String, String> {
        let mut world = self.world();
        world.look();
        let by = world.person(login).id;
        world.merge(by, number, &MergeRequest::default()).map_err(|answer| answer.body.to_string())
    }

    /// The same with one commit.
    pub fn squash_by(&self, login: &str, number: u64) -> String {
        let request = MergeRequest { squash: true, ..MergeRequest::default() };
        self.act(login, |world, by| world.merge(by, number, &request))
    }

    /// Another app reports a finished check on a commit.
    pub fn check(&self, app: &str, name: &str, head: &str, conclusion: &str) -> u64 {
        self.report(app, &json!({"name": name, "head_sha": head, "conclusion": conclusion}))
    }

    /// Another app begins a check on a commit.
    pub fn begin_check(&self, app: &str, name: &str, head: &str) -> u64 {
        self.report(app, &json!({"name": name, "head_sha": head, "status": "in_progress"}))
    }

    fn report(&self, app: &str, body: &serde_json::Value) -> u64 {
        let mut world = self.world();
        world.look();
        // An id for each name, above ours.
        let id = app.bytes().fold(0, |id, byte| (id * 31 + u64::from(byte)) % 100_000);
        let report = if app == world.model.app.slug {
            world.our_report()
        } else {
            Report { app: app.to_owned(), app_id: 100_000 + id }
        };
        world.create_check(&report, body).unwrap_or_else(|answer| panic!("{app} is refused: {}", answer.body))
    }

    pub fn rerequest(&self, login: &str, check: u64) {
        self.act(login, |world, by| world.rerequest(by, check));
    }

    /// Presses a button of a check.
    pub fn press(&self, login: &str, check: u64, identifier: &str) {
        self.act(login, |world, by| world.press(by, check, identifier));
    }

    /// Sets a commit status, which anybody who may push can.
    pub fn set_status(&self, login: &str, head: &str, context: &str, state: &str) -> u64 {
        self.act(login, |world, by| Ok(world.set_status(by, head, context, state, None)))
    }

    pub fn set_role(&self, login: &str, role: Role) {
        self.change(login, |person| person.role = role);
    }

    /// People rename themselves; the id stays.
    pub fn rename(&self, login: &str, new: &str) {
        self.change(login, |person| new.clone_into(&mut person.login));
    }

    fn change(&self, login: &str, change: impl FnOnce(&mut Person)) {
        let mut world = self.world();
        let id = world.person(login).id;
        change(world.model.people.iter_mut().find(|person| person.id == id).unwrap());
    }

    /// `User` or `Bot`.
    pub fn add_person(&self, id: u64, login: &str, kind: &str, role: Role) {
        let (login, kind) = (login.to_owned(), kind.to_owned());
        self.world().model.people.push(Person { id, login, kind, role });
    }

    /// Puts a person into a team, or, with none, out of it.
    pub fn set_team(&self, team: &str, login: &str, membership: Option<Membership>) {
        let mut world = self.world();
        let id = world.person(login).id;
        let members = world.model.teams.entry(team.to_owned()).or_default();
        match membership {
            Some(membership) => drop(members.insert(id, membership)),
            None => drop(members.remove(&id)),
        }
    }

    /// From now on this person is taken to have pushed what comes by git.
    pub fn set_pusher(&self, login: &str) {
        let mut world = self.world();
        world.look();
        world.model.pusher = world.person(login).id;
    }

    /// What was pushed just now came from this person.
    pub fn pushed_by(&self, login: &str) {
        let mut world = self.world();
        let by = world.person(login).id;
        world.look_after(by);
    }

    /// Another repository, `owner/name`, for comparisons.
    pub fn add_source(&self, name: &str, path: &std::path::Path) {
        self.world().model.sources.insert(name.to_owned(), path.to_owned());
    }

    /// Tells of anything else that the slice has (`registry_package`, `installation`, `ping`…), with these fields.
    pub fn tell(&self, login: &str, event: &str, action: Option<&str>, fields: serde_json::Value) {
        self.act(login, |world, by| {
            world.emit(event, action, by, fields);
            Ok(())
        });
    }

    /// From now on the default branch takes signed commits alone.
    pub fn require_signatures(&self, of: Signatures) {
        self.world().model.signatures = Some(of);
    }

    /// From now on GitHub makes other commits than it is asked for.
    pub fn add_a_line_to_commits(&self) {
        self.world().model.adds_a_line = true;
    }

    pub fn require_check(&self, name: Option<&str>) {
        self.world().model.required_check = name.map(str::to_owned);
    }
}
