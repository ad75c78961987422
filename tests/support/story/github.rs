//! The tests' own GitHub, and what people do there. lockkeeper speaks to it by HTTP, and hears of it by signed webhooks
//! that go through the server's own router.

use std::fmt;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use jiff::Timestamp;
use lockkeeper::commit::CommitId;
use lockkeeper::forge::github::{GitHubForge, Writes};
use lockkeeper::forge::{Check, CheckStatus, Clock, Permission, Person, Verdict};
use lockkeeper::reconcile::World;
use lockkeeper::server::run::Tally;
use lockkeeper::server::{self, router};
use lockkeeper::settings::Settings;
use lockkeeper::store::Store;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::super::faults::Faults;
use super::super::github::model::{self, Model, Thread};
use super::super::github::{Fake, Membership, Role, Setting, Verdict as Word};
use super::super::parts;
use super::super::secrets::{HOOK_SECRET, token_of};
use super::cast::people;
use super::host::{Host, Pull, Said, Sides};
use super::{Checked, text};

/// The source repository of the images, at this GitHub.
const SOURCE: &str = "shop/web";
/// Who is taken to be behind a push of "somebody".
const PUSHER: &str = "tom";
/// The bot of the App, by whose pushes branches move.
const BOT: &str = "lockkeeper[bot]";

/// A GitHub of one story, which it outlives no moment; but its process may end and begin anew as often as it likes.
pub struct GitHub {
    /// Its address, held from the start: images name their source by it.
    listener: Option<TcpListener>,
    url: String,
    begun: Option<Begun>,
}

/// What there is from `start` on.
struct Begun {
    fake: Fake,
    fresh: Model,
    settings: Settings,
}

impl GitHub {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener: Some(listener), url, begun: None }
    }

    /// The address of the source repository.
    pub fn source(&self) -> String {
        format!("{}/{SOURCE}", self.url)
    }

    /// What it remembers; none before it has begun.
    pub fn save(&self) -> Option<Model> {
        self.begun.as_ref().map(|begun| begun.fake.model())
    }

    pub fn restore(&self, saved: &Model) {
        if let Some(begun) = &self.begun {
            begun.fake.set_model(saved.clone());
        }
    }

    /// A GitHub over the repository in this folder, with everybody in it and nothing said yet. It goes by the story's
    /// clock, which lockkeeper goes by, too; the App's signatures go by the real one.
    pub fn begin(&mut self, folder: &Path, clock: &Arc<AtomicI64>, faults: Arc<Faults>) -> Checked {
        let path = |name: &str| folder.join(name);
        std::fs::write(path("app.pem"), key().ok_or("no key")?).map_err(text)?;
        std::fs::write(path("hook"), HOOK_SECRET).map_err(text)?;
        if let Some(begun) = &self.begun {
            begun.fake.set_model(begun.fresh.clone());
        } else {
            let listener = self.listener.take().ok_or("the address is taken")?;
            let clock = Arc::clone(clock);
            let now = move || Timestamp::from_microsecond(clock.load(Ordering::SeqCst)).unwrap();
            let repository = folder.join("env.git");
            let fake = Fake::start_at(listener, setting(), &repository, Box::new(now), faults);
            settle_people(&fake);
            let settings = settings(folder, &fake)?;
            self.begun = Some(Begun { fresh: fake.model(), fake, settings });
        }
        self.add_source(folder);
        Ok(())
    }

    /// Makes the source repository known, if there is one by now.
    pub fn add_source(&self, folder: &Path) {
        let path = folder.join("source.git");
        if let Some(begun) = self.begun.as_ref().filter(|_| path.exists()) {
            begun.fake.add_source(SOURCE, &path);
        }
    }

    /// Our client of it, and its other side.
    pub fn open(&self, store: Store, clock: Clock) -> Result<Sides, String> {
        let Begun { fake, settings, .. } = self.begun.as_ref().ok_or("it has not begun")?;
        let github = settings.github.as_ref().ok_or("no GitHub in the settings")?;
        let name = "acme/environments".parse().map_err(text)?;
        let writes = Arc::new(Writes::new(github.ceilings));
        let forge = GitHubForge::new(name, github, writes).map_err(text)?.with_clock(Arc::clone(&clock));
        let mut app = Tally::new(settings).app(settings, store).map_err(text)?;
        app.clock = server::Clock::new(clock);
        let host = GitHubHost { fake: fake.clone(), router: router(app, Vec::new()) };
        Ok((Arc::new(forge), Arc::new(host)))
    }
}

fn setting() -> Setting {
    let cast = people().people;
    let role = |permission| match permission {
        Permission::Admin => Role::Admin,
        Permission::Write => Role::Write,
        Permission::Read => Role::Read,
        Permission::None => Role::None,
    };
    let people: Vec<_> =
        cast.iter().map(|entry| (entry.id, entry.name.as_str(), role(entry.permission))).collect();
    Setting { required_check: Some("lockkeeper".to_owned()), ..Setting::new(&people) }
}

fn settle_people(fake: &Fake) {
    for entry in people().people {
        fake.let_in(&entry.name, &token_of(&entry.name));
        for team in &entry.teams {
            let (_, slug) = team.split_once('/').unwrap();
            fake.set_team(slug, &entry.name, Some(Membership::Active));
        }
    }
    for app in people().apps {
        fake.add_person(app.id, &format!("{}[bot]", app.name), "Bot", Role::Write);
    }
    fake.set_pusher(BOT);
}

/// As the server reads them. A story tells hours within seconds, so GitHub's ceilings are none here.
fn settings(folder: &Path, fake: &Fake) -> Result<Settings, String> {
    let path = |name: &str| folder.join(name);
    let root = folder.display();
    let lines = format!(
        "[github]\napi_url = \"{}\"\napp_id = 77\nprivate_key_file = \"{root}/app.pem\"\n\
         webhook_secret_files = [\"{root}/hook\"]\nwrites_per_minute = 10000\nwrites_per_hour = 10000\n\
         [[repositories]]\nname = \"env\"\nforge = \"github\"\nlocation = \"{root}/env.git\"\n\
         [repositories.github]\nrepository = \"acme/environments\"\n",
        fake.enterprise_url(),
    );
    std::fs::write(path("settings.toml"), lines).map_err(text)?;
    Settings::load_from(Some(&path("settings.toml")), []).map_err(text)
}

/// A private key of the App, made once; none where the machine cannot make one.
pub fn key() -> Option<&'static str> {
    static KEY: OnceLock<Option<String>> = OnceLock::new();
    let make = || {
        parts::part("openssl")?;
        let output = Command::new("openssl").args(["genrsa", "2048"]).output().unwrap();
        assert!(output.status.success(), "openssl makes no key");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    KEY.get_or_init(make).as_deref()
}

/// GitHub as people see it.
struct GitHubHost {
    fake: Fake,
    router: Router,
}

impl fmt::Debug for GitHubHost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GitHubHost").finish_non_exhaustive()
    }
}

impl GitHubHost {
    fn shown(&self, thread: &Thread) -> Result<Pull, String> {
        let pull = thread.pull.as_ref().ok_or("no pull request")?;
        let mut checks: Vec<Check> = Vec::new();
        for run in self.fake.check_runs(&pull.head) {
            checks.retain(|check| (&check.name, &check.app) != (&run.name, &run.app));
            checks.push(Check {
                name: run.name,
                app: run.app,
                status: match run.conclusion.as_deref() {
                    None => CheckStatus::Pending,
                    Some("success") => CheckStatus::Passed,
                    Some(_) => CheckStatus::Failed,
                },
                summary: run.title.unwrap_or_default(),
                text: run.text.unwrap_or_default(),
            });
        }
        Ok(Pull {
            number: thread.number,
            branch: pull.head_branch.clone(),
            head: pull.head.parse().map_err(text)?,
            is_ours: self.is_bot(thread.author),
            is_closed_by_other: pull.merged.is_none()
                && thread.closed.is_some_and(|(by, _)| !self.is_bot(by)),
            title: thread.title.clone(),
            body: thread.body.clone().unwrap_or_default(),
            checks,
        })
    }

    fn is_bot(&self, id: u64) -> bool {
        self.fake.person(id).login == BOT
    }
}

#[async_trait]
impl Host for GitHubHost {
    async fn open_pulls(&self) -> Result<Vec<Pull>, String> {
        let open = self.fake.pull_requests().into_iter().filter(Thread::is_open);
        open.map(|thread| self.shown(&thread)).collect()
    }

    async fn pull(&self, number: u64) -> Result<Pull, String> {
        self.shown(&self.fake.thread(number))
    }

    async fn is_ours(&self, thread: u64) -> Result<bool, String> {
        Ok(self.is_bot(self.fake.thread(thread).author))
    }

    async fn open_issues(&self) -> Result<Vec<String>, String> {
        let ours = |thread: &Thread| thread.is_open() && self.is_bot(thread.author);
        Ok(self.fake.issues().into_iter().filter(ours).map(|thread| thread.title).collect())
    }

    async fn comments(&self) -> Result<Vec<Said>, String> {
        let model = self.fake.model();
        let said = model.comments.values().map(|comment| {
            let author = model.person(comment.author);
            let person = Person { id: author.id, name: author.login.clone(), bot: author.kind == "Bot" };
            let is_to_it = |reaction: &&model::Reaction| {
                reaction.comment == comment.id && model.person(reaction.author).login == BOT
            };
            Said {
                id: comment.id,
                thread: comment.thread,
                author: person,
                is_ours: author.login == BOT,
                body: comment.body.clone(),
                reactions: model.reactions.values().filter(is_to_it).count(),
            }
        });
        Ok(said.collect())
    }

    fn portrait(&self, lines: &mut Vec<String>) -> Checked {
        let model = self.fake.model();
        for thread in model.threads.values() {
            let number = thread.number;
            if thread.is_open() {
                lines.push(format!("file open/threads/{number}"));
            }
            let shown = serde_json::to_string_pretty(&portrait_of(&model, thread)).map_err(text)?;
            lines.extend(shown.lines().map(|line| format!("threads/{number}.json {line}")));
        }
        lines.extend(checks_of(&model));
        lines.extend(deployments_of(&model));
        Ok(())
    }

    async fn open(&self, by: &Person, branch: &str, title: &str) -> Result<u64, String> {
        Ok(self.fake.open_by(&by.name, branch, "main", title))
    }

    async fn close(&self, by: &Person, number: u64) -> Checked {
        self.fake.close(&by.name, number);
        Ok(())
    }

    async fn merge(&self, by: &Person, pull: &Pull) -> Result<bool, String> {
        Ok(self.fake.try_merge_by(&by.name, pull.number).is_ok())
    }

    async fn review(&self, by: &Person, pull: &Pull, verdict: Verdict) -> Checked {
        let said = match verdict {
            Verdict::Approved => Word::Approved,
            Verdict::ChangesRequested => Word::ChangesRequested,
            Verdict::Dismissed => {
                let latest =
                    self.fake.reviews(pull.number).into_iter().rfind(|review| review.author == by.id);
                self.fake.dismiss(&by.name, latest.ok_or("no review")?.id);
                return Ok(());
            }
        };
        self.fake.review(&by.name, pull.number, said);
        Ok(())
    }

    async fn review_older(&self, by: &Person, number: u64, head: CommitId, verdict: Verdict) -> Checked {
        if verdict != Verdict::Approved {
            return Err("only an approval".to_owned());
        }
        self.fake.review_of(&by.name, number, Word::Approved, &head.to_string());
        Ok(())
    }

    async fn report(&self, app: &Person, head: CommitId, name: &str, status: CheckStatus) -> Checked {
        let head = head.to_string();
        match status {
            CheckStatus::Pending => self.fake.begin_check(&app.name, name, &head),
            CheckStatus::Passed => self.fake.check(&app.name, name, &head, "success"),
            CheckStatus::Failed => self.fake.check(&app.name, name, &head, "failure"),
        };
        Ok(())
    }

    async fn comment(&self, by: &Person, thread: u64, body: &str) -> Result<u64, String> {
        Ok(self.fake.comment(&by.name, thread, body))
    }

    async fn edit_comment(&self, by: &Person, id: u64, body: &str) -> Checked {
        self.fake.edit_comment(&by.name, id, body);
        Ok(())
    }

    async fn tell_again(&self, id: u64) -> Checked {
        self.fake.tell_again(id);
        Ok(())
    }

    fn pushed(&self, _number: Option<u64>) -> bool {
        self.fake.pushed_by(PUSHER);
        true
    }

    /// Each delivery twice, as GitHub sends what it has no answer to.
    async fn tell(&self, _world: &World) -> Checked {
        for webhook in self.fake.take_webhooks() {
            for _ in 0..2 {
                let mut request = Request::post("/webhooks/github").header("host", "localhost");
                for (name, value) in webhook.headers(HOOK_SECRET) {
                    request = request.header(name, value);
                }
                let request = request.body(Body::from(webhook.body.clone())).map_err(text)?;
                let status = self.router.clone().oneshot(request).await.map_err(text)?.status();
                if status != StatusCode::ACCEPTED {
                    return Err(format!("delivery of {} answered with {status}", webhook.event));
                }
            }
        }
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.fake.has_webhooks()
    }

    /// GitHub sends nothing again by itself.
    async fn end(&self) {
        self.fake.rest().await;
        self.fake.take_webhooks();
    }

    fn violations(&self) -> Vec<String> {
        self.fake.violations()
    }
}

/// A thread with all that people see in it. Not: ids of reactions, which nobody sees and which an earlier reaction takes
/// when it is set once more; and whether GitHub was asked already whether it merges.
fn portrait_of(model: &Model, thread: &Thread) -> Value {
    let login = |id: u64| &model.person(id).login;
    let closed = thread.closed.map(|(by, at)| json!({"by": login(by), "at": at}));
    let pull = thread.pull.as_ref().map(|pull| {
        let merged = pull.merged.as_ref();
        let merged =
            merged.map(|merged| json!({"commit": merged.commit, "by": login(merged.by), "at": merged.at}));
        json!({
            "branch": pull.head_branch, "head": pull.head, "base_branch": pull.base_branch, "base": pull.base,
            "draft": pull.draft, "merged": merged, "reviewers": pull.reviewers, "teams": pull.team_reviewers,
        })
    });
    let reviews: Vec<Value> = (model.reviews.values())
        .filter(|review| review.thread == thread.number)
        .map(|review| {
            json!({
                "id": review.id, "author": login(review.author), "body": review.body, "verdict": review.verdict,
                "head": review.head, "at": review.at,
            })
        })
        .collect();
    let comments: Vec<Value> = (model.comments.values())
        .filter(|comment| comment.thread == thread.number)
        .map(|comment| {
            let to_it = model.reactions.values().filter(|reaction| reaction.comment == comment.id);
            let reactions: Vec<Value> = to_it
                .map(|reaction| json!([login(reaction.author), reaction.content, reaction.at]))
                .collect();
            json!({
                "id": comment.id, "author": login(comment.author), "body": comment.body, "by_app": comment.by_app,
                "created_at": comment.created_at, "updated_at": comment.updated_at, "reactions": reactions,
            })
        })
        .collect();
    json!({
        "number": thread.number, "title": thread.title, "body": thread.body, "author": login(thread.author),
        "labels": thread.labels, "created_at": thread.created_at, "updated_at": thread.updated_at,
        "closed": closed, "state_reason": thread.state_reason, "pull": pull, "reviews": reviews,
        "comments": comments,
    })
}

/// The newest run of each name and App on each commit, which is the one that counts and the one that people see. An
/// older one is no state: what a stop interrupts between green and merge is looked at anew, in a run of its own.
fn checks_of(model: &Model) -> Vec<String> {
    let mut newest = std::collections::BTreeMap::new();
    for check in model.checks.values() {
        newest.insert((&check.head, &check.app, &check.name), check);
    }
    let shown = newest.into_values().map(|check| {
        let said = json!([check.status, check.conclusion, check.title, check.summary, check.text]);
        format!("checks {} {} {} {said}", check.head, check.app, check.name)
    });
    shown.collect()
}

/// What was deployed where, without ids: nothing refers to them.
fn deployments_of(model: &Model) -> Vec<String> {
    let shown = model.deployments.values().map(|of| {
        let statuses: Vec<Value> =
            of.statuses.iter().map(|status| json!([status.state, status.description, status.at])).collect();
        let said = json!([of.reference, of.task, of.description, of.payload, of.is_production, statuses]);
        format!("deployment {} {} {said}", of.environment, of.commit)
    });
    shown.collect()
}
