//! `lockkeeper doctor` on a repository at GitHub: nothing to say of a good world, and each thing that is wrong with its fix.

use serde_json::{Value, json};

use crate::github::upkeep::Upkeep;
use crate::github::{Role, Setting};
use crate::place::{BEGIN, Place};
use crate::process;

/// Pins nothing, so that no registry is asked.
const RULES: &str = "version: 1
pipelines:
  - name: web
    owner: team:acme/owners
    images: [{ repository: REGISTRY/shop/web, follow: { semver: \">=1\" } }]
    stages: [{ name: dev, pins: [dev/web.yaml], merge: automatic }]
";

struct World {
    github: Place,
    place: process::Place,
    _folder: tempfile::TempDir,
}

impl World {
    /// A repository at GitHub that is set up as the documents say; nothing where no key can be made.
    async fn new() -> Option<Self> {
        crate::parts::part("openssl")?;
        let (private, public) = crate::tokens::key_pair();
        let people = [(1, "ada", Role::Admin), (3, "linus", Role::Read)];
        let github = Place::with(Setting { public_key: Some(public), ..Setting::new(&people) }).await;
        github.pass(jiff::Timestamp::now().as_second() - BEGIN);
        github.push("main", "lockkeeper.yaml", &RULES.replace("REGISTRY", "127.0.0.1:1"));
        for webhook in github.fake.take_webhooks() {
            github.fake.answered(&webhook.guid, 202);
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.pem"), private).unwrap();
        std::fs::write(folder.path().join("hook"), "github-hook-secret").unwrap();
        let world =
            Self { place: settings(&folder, &github, "app_id = 77", "app.pem"), github, _folder: folder };
        let address = world.place.address.clone();
        world.github.fake.require_check(Some("lockkeeper"));
        world.github.fake.set_up(|upkeep| {
            upkeep.hook = json!({"url": format!("http://{address}/webhooks/github")});
            upkeep.rulesets.insert(1, ruleset("never", json!([])));
        });
        Some(world)
    }

    /// The findings about GitHub that are not good, each as `verdict subject: text → fix`, in this setup alone.
    async fn look(&self, change: impl FnOnce(&mut Upkeep)) -> Vec<String> {
        let saved = self.github.fake.save();
        self.github.fake.set_up(change);
        let found = self.findings().await;
        self.github.fake.restore(&saved);
        found
    }

    async fn findings(&self) -> Vec<String> {
        let command = self.place.command(&["doctor", "-o", "json"]);
        let ended = tokio::task::spawn_blocking(|| process::end(command)).await.unwrap();
        let found: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
        let findings = found["findings"].as_array().unwrap().clone();
        let is_bad = findings.iter().any(|finding| finding["verdict"] == "bad");
        assert_eq!(ended.code, i32::from(is_bad), "{}", ended.out);
        let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or("").to_owned();
        let line = |finding: &Value| {
            let [verdict, subject, text, fix] =
                ["verdict", "subject", "text", "fix"].map(|name| word(finding, name));
            format!("{verdict} {subject}: {text} → {fix}")
        };
        // The registry is not there, the images and pins neither: that is no business of this test.
        let is_ours = |line: &String| {
            line.contains(" of env: ")
                && !line.contains("lockkeeper.yaml of env")
                && !line.starts_with("good ")
        };
        findings.iter().map(line).filter(is_ours).collect()
    }
}

fn settings(folder: &tempfile::TempDir, github: &Place, identity: &str, file: &str) -> process::Place {
    let root = folder.path().display();
    let key = if identity.starts_with("app_id") { "private_key_file" } else { "token_file" };
    let lines = format!(
        "[github]\napi_url = \"{}\"\n{identity}\n{key} = \"{root}/{file}\"\nwebhook_secret_files = [\"{root}/hook\"]\n\
         [[repositories]]\nname = \"env\"\nforge = \"github\"\nlocation = \"{}\"\n\
         [repositories.github]\nrepository = \"acme/environments\"\n",
        github.fake.enterprise_url(),
        github.folder().join("environments.git").display(),
    );
    process::Place::new(folder.path(), &lines)
}

fn ruleset(us: &str, actors: Value) -> Value {
    let mut ruleset = json!({
        "id": 1, "name": "main", "source": "acme/environments", "source_type": "Repository", "enforcement": "active",
        "current_user_can_bypass": us,
    });
    if actors.is_array() {
        ruleset["bypass_actors"] = actors;
    }
    ruleset
}

fn rule(kind: &str, parameters: Value) -> Value {
    let mut rule = json!({
        "type": kind, "ruleset_id": 1, "ruleset_source": "acme/environments", "ruleset_source_type": "Repository",
    });
    if parameters.is_object() {
        rule["parameters"] = parameters;
    }
    rule
}

fn checks(context: &str, app: Value, strict: bool) -> Value {
    let mut check = json!({"context": context});
    if app.is_number() {
        check["integration_id"] = app;
    }
    let parameters =
        json!({"required_status_checks": [check], "strict_required_status_checks_policy": strict});
    rule("required_status_checks", parameters)
}

/// Each of these is found, in any order, and nothing else.
fn check(what: &str, found: &[String], wanted: &[&str]) {
    let is_found = |wanted: &&str| found.iter().any(|line| line.contains(*wanted));
    let missing: Vec<&&str> = wanted.iter().filter(|wanted| !is_found(wanted)).collect();
    assert!(missing.is_empty() && found.len() == wanted.len(), "{what}: missing {missing:?} in {found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_world_has_no_finding_and_each_bad_one_its_fix() {
    let Some(world) = World::new().await else { return };
    check("good", &world.findings().await, &[]);
    identities(&world).await;
    protections(&world).await;
    hooks(&world).await;
    world.github.no_violations();
    let operations = world.github.fake.checked();
    for operation in
        ["/rules/branches/{branch}", "/branches/{branch}", "/rulesets/{ruleset_id}", "/installation"]
    {
        assert!(operations.contains(&format!("GET /repos/{{owner}}/{{repo}}{operation}")), "{operation}");
    }
    let wrote =
        world.github.fake.calls().into_keys().filter(|id| !id.starts_with("GET ")).collect::<Vec<_>>();
    assert_eq!(wrote, ["POST /app/installations/{installation_id}/access_tokens"], "it changes nothing");
    token(&world).await;
}

async fn identities(world: &World) {
    let found = world.look(|upkeep| upkeep.clock_ahead_seconds = -300).await;
    check("clock", &found, &["the clock of this machine and GitHub's differ by "]);
    let found = world.look(|upkeep| upkeep.is_installed = false).await;
    check("not installed", &found, &["the App is not installed on this repository → install lockkeeper"]);
    let found =
        world.look(|upkeep| upkeep.suspended_at = Some("2026-01-02T03:04:05Z".parse().unwrap())).await;
    check("suspended", &found, &["is suspended since 2026-01-02T03:04:05Z → lift it at "]);
    let found = world
        .look(|upkeep| {
            upkeep.permissions.remove("checks");
            upkeep.permissions.insert("contents".to_owned(), "read".to_owned());
            upkeep.wanted.insert("contents".to_owned(), "write".to_owned());
            upkeep.permissions.remove("packages");
            upkeep.events.retain(|event| event != "issue_comment");
        })
        .await;
    let wanted = [
        "bad permission of env: Checks: wanted write, found none → give lockkeeper the permission Checks: write",
        "bad permission of env: Contents: wanted write, found read → the App asks for it; accept it at ",
        "notice permission of env: Packages: wanted read, found none; pushes to GitHub's own registry",
        "notice events of env: not told: issue_comment; they are found by polling",
    ];
    check("permissions", &found, &wanted);
}

async fn protections(world: &World) {
    let found = world.look(|upkeep| upkeep.rules = Some(Vec::new())).await;
    check("no rule", &found, &[]);
    world.github.fake.require_check(None);
    let unprotected =
        "bad required check of env: `lockkeeper` is not required on main: people merge past its gates";
    check("nothing at all", &world.look(|_| {}).await, &[unprotected]);
    let anybody = |upkeep: &mut Upkeep| upkeep.rules = Some(vec![checks("lockkeeper", Value::Null, false)]);
    check(
        "anybody",
        &world.look(anybody).await,
        &["is required from anybody → set the source of the required check"],
    );
    let found = world.look(|upkeep| upkeep.rules = Some(vec![checks("lockkeeper", json!(5), false)])).await;
    check("another App", &found, &["is required from App 5 → "]);
    obstacles(world).await;
    classic(world).await;
    world.github.fake.require_check(Some("lockkeeper"));
}

/// Everything at once that a ruleset can put in the way.
async fn obstacles(world: &World) {
    let reviews = json!({
        "required_approving_review_count": 2, "require_code_owner_review": true, "require_last_push_approval": true,
        "dismiss_stale_reviews_on_push": false, "required_review_thread_resolution": true,
        "allowed_merge_methods": ["squash"],
    });
    let queue = json!({
        "check_response_timeout_minutes": 60, "grouping_strategy": "ALLGREEN", "max_entries_to_build": 5,
        "max_entries_to_merge": 5, "merge_method": "MERGE", "min_entries_to_merge": 1,
        "min_entries_to_merge_wait_minutes": 5,
    });
    // On the second page, as one that is overlooked would be there.
    let filler = (0..100).map(|_| rule("deletion", Value::Null));
    let rules: Vec<Value> = filler
        .chain([
            checks("lockkeeper", json!(77), true),
            rule("pull_request", reviews),
            rule("merge_queue", queue),
            rule("required_linear_history", Value::Null),
            rule("update", json!({"update_allows_fetch_and_merge": false})),
            rule("required_deployments", json!({"required_deployment_environments": ["dev"]})),
            rule("workflows", json!({"workflows": []})),
            rule("code_scanning", json!({"code_scanning_tools": []})),
            checks("build", Value::Null, false),
        ])
        .collect();
    let us = json!({"actor_id": 77, "actor_type": "Integration", "bypass_mode": "always"});
    let role = json!({"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"});
    let found = world
        .look(|upkeep| {
            upkeep.rules = Some(rules.clone());
            upkeep.rulesets.insert(1, ruleset("never", json!([role])));
        })
        .await;
    let wanted = [
        "bad protection of env: asks for 2 approvals of its own → set the required approvals to 0",
        "asks for a review of code owners → ",
        "asks for an approval of the last push → ",
        "asks for branches that are up to date → ",
        "has a merge queue → ",
        "lets nobody update the branch → ",
        "refuses merge commits → set `merge = \"squash\"`",
        "does not take the method `merge` → ",
        "asks for conversations to be resolved → ",
        "asks for deployments to succeed first → ",
        "asks for workflows to pass → ",
        "notice protection of env: has a rule `code_scanning`, of which lockkeeper knows nothing → ",
        "notice other required checks of env: GitHub merges nothing, a rollback neither, before build → ",
        "notice ruleset main of env: may be bypassed by RepositoryRole 5 (always) → ",
    ];
    check("rules", &found, &wanted);
    let found = world
        .look(|upkeep| {
            upkeep.rules = Some(vec![checks("lockkeeper", json!(77), false)]);
            upkeep.rulesets.insert(1, ruleset("never", Value::Null));
        })
        .await;
    check("hidden", &found, &["notice ruleset main of env: GitHub does not show who may bypass it → "]);
    // Rules that our App passes are in nobody's way but people's.
    let found = world
        .look(|upkeep| {
            upkeep.rules = Some(rules);
            upkeep.rulesets.insert(1, ruleset("always", json!([us])));
        })
        .await;
    check("rules that we pass", &found, &["notice other required checks of env: "]);
}

async fn classic(world: &World) {
    let classic = json!({
        "required_status_checks": {
            "strict": true, "contexts": ["lockkeeper"], "checks": [{"context": "lockkeeper", "app_id": 77}],
        },
        "required_pull_request_reviews": {
            "dismiss_stale_reviews": false, "require_code_owner_reviews": false, "required_approving_review_count": 1,
        },
        "required_linear_history": {"enabled": true},
    });
    let shown = |upkeep: &mut Upkeep| upkeep.classic = classic.clone();
    let wanted = ["asks for 1 approvals", "up to date", "refuses merge commits"];
    check("classic", &world.look(shown).await, &wanted);
    let found = world
        .look(|upkeep| {
            upkeep.classic = classic.clone();
            upkeep.is_protection_hidden = true;
        })
        .await;
    let wanted = "notice classic protection of env: only its required checks can be seen";
    check("hidden", &found, &[wanted]);
    world.github.fake.next("GET /repos/acme/environments/rules", crate::github::Fault::Before(403));
    let found = world.look(shown).await;
    assert!(found.iter().any(|line| line.starts_with("notice rules of env: cannot be seen: ")), "{found:#?}");
}

async fn hooks(world: &World) {
    let found = world.look(|upkeep| upkeep.hook = json!({"url": null})).await;
    check(
        "no address",
        &found,
        &["bad hook of env: leads nowhere → set the App's webhook URL to http://127.0.0.1:"],
    );
    let wrong = json!({"url": "https://example.com/hook", "content_type": "form", "secret": null, "insecure_ssl": "1"});
    let wanted = [
        "bad hook of env: leads to https://example.com/hook, and this server is http://127.0.0.1:",
        "sends form, wanted json → ",
        "has no secret: each delivery is refused → ",
        "does not check our certificate → ",
    ];
    check("hook", &world.look(|upkeep| upkeep.hook = wrong).await, &wanted);
    let fake = &world.github.fake;
    let saved = fake.save();
    world.github.push("main", "notes.md", "hello");
    let lost = fake.take_webhooks().remove(0);
    fake.answered(&lost.guid, 401);
    let wanted = "bad deliveries of env: 1 of the last 2 failed; the latest, push at ";
    let found = world.findings().await;
    check("deliveries", &found, &[wanted]);
    assert!(
        found[0].contains("401") && found[0].contains("→ put the App's webhook secret into one of"),
        "{found:?}"
    );
    world.github.push("main", "notes.md", "hello again");
    fake.answered(&fake.take_webhooks().remove(0).guid, 202);
    check(
        "one that came after",
        &world.findings().await,
        &["notice deliveries of env: 1 of the last 3 failed"],
    );
    fake.restore(&saved.replace("\"status_code\":202", "\"status_code\":0"));
    check("none arrived", &world.findings().await, &["→ let GitHub reach the server: address"]);
    fake.restore(&saved);
}

/// A token has no hook, and cannot be the gate.
async fn token(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hook"), "github-hook-secret").unwrap();
    for (login, wanted) in [
        (
            "ada",
            "notice GitHub token of env: belongs to ada; its gate is a status, which whoever may push can report too → use a GitHub App",
        ),
        ("nobody", "bad GitHub token of env: "),
    ] {
        let token = if login == "nobody" { "ghp_x".to_owned() } else { world.github.fake.token(login) };
        std::fs::write(folder.path().join("token"), token).unwrap();
        let place = settings(&folder, &world.github, "", "token");
        let ended = tokio::task::spawn_blocking(move || place.run(&["doctor", "-o", "json"])).await.unwrap();
        let found: Value = serde_json::from_str(&ended.out).unwrap();
        let is_it = |finding: &Value| {
            let [verdict, subject, text, fix] =
                ["verdict", "subject", "text", "fix"].map(|name| finding[name].as_str().unwrap_or(""));
            format!("{verdict} {subject}: {text} → {fix}").starts_with(wanted)
        };
        assert!(found["findings"].as_array().unwrap().iter().any(is_it), "{login}: {}", ended.out);
    }
}
