//! Layers, sources of errors, secrets.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::pull_request::MergeMethod;

const REPOSITORY: &str = "
[[repositories]]
name = 'shop-1'
location = '/srv/git/shop.git'
[repositories.local]
folder = '/tmp/forge'
people = '/tmp/people.json'
sources = { 'https://git.example.com/acme/web.v2' = '/srv/git/web.git' }
";

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn load(&self, text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let file = self.file("my.toml", text);
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let folder = format!("{}/", self.0.path().display());
        Settings::load_from(Some(&file), variables).map_err(|error| error.to_string().replace(&folder, ""))
    }
}

fn check(text: &str, variables: &[(&str, &str)], want: &str) {
    let found = Place::new().load(&format!("{text}{REPOSITORY}"), variables).unwrap_err();
    assert_eq!(found, want, "{text} {variables:?}");
}

#[test]
fn defaults_file_and_variables_are_laid_over_each_other() {
    let place = Place::new();
    let text = format!("[server]\nurl = 'https://Locks.example.com/'\nhosts = ['a.example']\n{REPOSITORY}");
    let settings = place.load(&text, &[]).unwrap();
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.server.url, "https://Locks.example.com");
    assert_eq!(settings.server.hosts, ["127.0.0.1:8080", "a.example", "locks.example.com"]);
    assert_eq!(settings.store.remember_deliveries, Duration::from_hours(14 * 24));
    let [shop] = &settings.repositories[..] else { panic!("one repository") };
    assert_eq!((shop.base.as_str(), shop.poll_interval), ("main", Duration::from_mins(1)));
    let Forge::Local(local) = &shop.forge else { panic!("local") };
    assert_eq!(local.sign_in, SignIn::Token);
    assert_eq!(local.sources["https://git.example.com/acme/web.v2"], PathBuf::from("/srv/git/web.git"));

    let variables = [
        ("LOCKKEEPER__SERVER__LISTEN", "127.0.0.1:9"),
        ("LOCKKEEPER__SERVER__HOSTS", "b.example, c.example:80"),
        ("LOCKKEEPER__WORK__WORKERS", "7"),
        ("LOCKKEEPER__WORK__LEASE", "1m 30s"),
        ("LOCKKEEPER__REPOSITORIES__SHOP_1__BASE", "deploy"),
        ("LOCKKEEPER__REPOSITORIES__SHOP_1__LOCAL__FOLDER", "/elsewhere"),
        ("LOCKKEEPER_CONFIG", "of somebody else"),
    ];
    let settings = place.load(&text, &variables).unwrap();
    assert_eq!(settings.server.hosts, ["127.0.0.1:9", "b.example", "c.example:80", "locks.example.com"]);
    assert_eq!((settings.work.workers, settings.work.lease), (7, Duration::from_secs(90)));
    assert_eq!(settings.repositories[0].base, "deploy");
    let Forge::Local(local) = &settings.repositories[0].forge else { panic!("local") };
    assert_eq!(local.folder, PathBuf::from("/elsewhere"));
}

#[test]
fn unknown_keys_name_their_source() {
    check(
        "[server]\nlissten = 1\n[worker]\nn = 1\n",
        &[],
        "unknown settings: `server.lissten` in my.toml, `worker` in my.toml",
    );
    let variable = "unknown settings: `server.lissten` in variable LOCKKEEPER__SERVER__LISSTEN";
    check("", &[("LOCKKEEPER__SERVER__LISSTEN", "1")], variable);
    let nobody = "unknown settings: variable LOCKKEEPER__REPOSITORIES__NOBODY__BASE";
    check("", &[("LOCKKEEPER__REPOSITORIES__NOBODY__BASE", "x")], nobody);
    let inner = "unknown settings: `repositories.0.bas` in variable LOCKKEEPER__REPOSITORIES__SHOP_1__BAS";
    check("", &[("LOCKKEEPER__REPOSITORIES__SHOP_1__BAS", "x")], inner);
}

#[test]
fn wrong_values_name_key_and_source() {
    for (text, want) in [
        ("[server]\nlisten = 'here'\n", "setting `server.listen` in my.toml: invalid socket address syntax"),
        (
            "[work]\nlease = '9'\n",
            "setting `work.lease` in my.toml: wanted a duration like \"15m\" or \"1h 30m\", more than 0 and below ten years, found \"9\"",
        ),
        ("[work]\nlease = '9s'\n", "setting `work.lease` in my.toml: wanted at least 10s, found 9s"),
        ("[work]\nworkers = 0\n", "setting `work.workers` in my.toml: wanted 1 to 64, found 0"),
        (
            "[server]\nurl = 'https://a@b/c'\n",
            "setting `server.url` in my.toml: wanted http(s)://host[:port], found \"https://a@b/c\"",
        ),
        ("[commands]\nbot = ''\n", "setting `commands.bot` in my.toml: wanted one line without `<` and `>`"),
        (
            "[[repositories]]\nname = 'shop-1'\n",
            "setting `repositories.0` in my.toml: key `location` is missing",
        ),
        (
            "[[repositories]]\nname = 'a/b'\nlocation = '/x'\n",
            "setting `repositories.0.name` in my.toml: wanted 1 to 63 of letters, digits, `.`, `_`, `-`, found \"a/b\"",
        ),
        (
            "[[repositories]]\nname = 'SHOP-1'\nlocation = '/x'\nlocal = {folder='/x', people='/y'}\n",
            "setting `repositories.1.name` in my.toml: \"shop-1\" is there twice",
        ),
        (
            "[[repositories]]\nname = 'b'\nlocation = '/x'\nlocal = {folder='/tmp/forge', people='/y'}\n",
            "setting `repositories.1.local.folder` in my.toml: is that of repository `b` already; wanted one of its own",
        ),
        (
            "[[repositories]]\nname = 'b'\nlocation = 'https://me:word@git.example/x'\n",
            "setting `repositories.0.location` in my.toml: wanted a path or address without credentials; use `token_file` or `ssh_key_file`",
        ),
        (
            "[[repositories]]\nname = 'b'\nlocation = '/x'\n",
            "setting `repositories.0.local` is missing: repository `b` has `forge = \"local\"`, which needs this table",
        ),
        (
            "[registry]\nlock_hosts = ['https://reg.example']\n",
            "setting `registry.lock_hosts` in my.toml: wanted hosts, perhaps with a port, as in `registry.example.com:5000`, found \"https://reg.example\"",
        ),
        (
            "[registry]\ncosign_program = 'cosign'\n",
            "setting `registry.cosign_program` in my.toml: wanted a path from the root as in `/usr/bin/cosign`, found `cosign`",
        ),
    ] {
        check(text, &[], want);
    }
    let want = "setting `work.workers` in variable LOCKKEEPER__WORK__WORKERS: wanted 1 to 64, found 65";
    check("", &[("LOCKKEEPER__WORK__WORKERS", "65")], want);
    let broken = Place::new().load("[server\n", &[]).unwrap_err();
    assert!(broken.starts_with("settings file my.toml: "), "{broken}");
}

#[test]
fn without_a_repository_it_says_what_to_write() {
    let error = Settings::load_from(None, []).unwrap_err().to_string();
    assert!(
        error.starts_with("setting `repositories` is missing: there is no environment repository"),
        "{error}"
    );
    assert!(error.contains("[[repositories]]"), "{error}");
}

#[test]
fn secrets_come_from_files_or_variables_are_never_empty_and_never_printed() {
    let place = Place::new();
    let hook =
        |secrets: &str| format!("[[webhooks]]\nkind = 'generic'\npath = 'main'\n{secrets}\n{REPOSITORY}");
    let (good, empty) = (place.file("good", "hunter2\n"), place.file("empty", " \n"));
    let text = hook(&format!("secret_files = [{good:?}]"));
    let settings = place.load(&text, &[("LOCKKEEPER__WEBHOOKS__MAIN__SECRET", "second")]).unwrap();
    let secrets: Vec<_> = settings.webhooks[0].secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["hunter2", "second"]);
    assert!(!format!("{settings:?}").contains("hunter2"));

    let fails = |secrets: &str, variable: &str| {
        let variables = [("LOCKKEEPER__WEBHOOKS__MAIN__SECRET", variable)];
        place.load(&hook(secrets), if variable.is_empty() { &[] } else { &variables }).unwrap_err()
    };
    let empty = fails(&format!("secret_files = [{good:?}, {empty:?}]"), "");
    assert_eq!(empty, "secret of setting `webhooks.0.secret_files`: empty is empty");
    assert_eq!(fails("", " "), "secret of setting `webhooks.0.secret`: the variable is empty");
    assert_eq!(
        fails("", ""),
        "setting `webhooks.0.secret_files` is missing: webhook `main` needs a file with its secret"
    );
    let inline = fails("secret = 'hunter2'", "");
    assert_eq!(
        inline,
        "setting `webhooks.0.secret` in my.toml: a secret stands in a file (`secret_files`) or a variable, never here"
    );
    let gone = fails("secret_files = ['/nowhere/secret']", "");
    assert!(gone.starts_with("secret of setting `webhooks.0.secret_files`: /nowhere/secret: "), "{gone}");
    let large = place.file("large", &"x".repeat(65_537));
    assert!(fails(&format!("secret_files = [{large:?}]"), "").ends_with("it is longer than 65536 bytes"));
}

#[test]
fn proxy_sign_in_needs_the_addresses_that_are_trusted() {
    let proxy = |more: &str| {
        let base = "[[repositories]]\nname='b'\nlocation='/x'\n[repositories.local]\nfolder='/f'\npeople='/p'\nsign_in='proxy'";
        Place::new().load(&format!("{base}\nproxy_header='X-User'\n{more}"), &[])
    };
    assert!(proxy("").unwrap_err().starts_with("setting `repositories.0.local.proxy_trusted` is missing"));
    let settings = proxy("proxy_trusted=['127.0.0.1','::1']").unwrap();
    let Forge::Local(local) = &settings.repositories[0].forge else { panic!("local") };
    let trusted = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    assert_eq!(local.sign_in, SignIn::Proxy { header: "X-User".into(), trusted });
}

/// Uncomments the examples, so that they cannot rot.
#[test]
fn the_examples_in_the_defaults_are_valid() {
    let place = Place::new();
    let secret = place.file("secret", "s");
    let examples =
        include_str!("../../config/default.toml").lines().skip_while(|line| !line.contains("at least one."));
    let mut text: String = examples
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.starts_with('[') || line.contains(" = ") && !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    for name in [
        "shop-token",
        "shop-key",
        "registry-webhook",
        "github-app.pem",
        "github-webhook",
        "notify",
        "lockkeeper-argo-token",
    ] {
        text = text.replace(&format!("/run/secrets/{name}"), &secret.display().to_string());
    }
    let address = place.file("address", "https://hooks.example.com/services/T0/B0/x\n");
    text = text.replace("/run/secrets/slack-webhook", &address.display().to_string());
    let settings = place.load(&text, &[]).unwrap();
    assert_eq!((settings.repositories.len(), settings.webhooks.len()), (2, 1), "{text}");
    assert_eq!(settings.github.unwrap().webhook_secrets.len(), 1);
    let [told] = &settings.notify[..] else { panic!("one target") };
    assert_eq!((told.form, told.address.host()), (NotifyForm::Slack, "hooks.example.com"));
    assert_eq!(told.occasions, Occasion::ALL.into());
    assert_eq!(format!("{:?} {:?}", told.address, told.secret).matches("services").count(), 0);
}

#[test]
fn who_is_told_is_named_whole_and_over_a_safe_way() {
    let place = Place::new();
    let load = |lines: &str, variables: &[(&str, &str)]| {
        place.load(&format!("[[notify]]\nname = 'team'\n{lines}\n{REPOSITORY}"), variables)
    };
    for url in ["https://e.example/x", "http://127.0.0.1:9/x", "http://[::1]:9/x", "http://localhost/x"] {
        let found = load(&format!("form = 'cloudevents'\nurl = '{url}'"), &[]).unwrap();
        assert_eq!(found.notify[0].occasions, Occasion::ALL.into(), "{url}");
        assert!(found.notify[0].secret.is_none() && found.notify[0].stages.is_none(), "{url}");
    }
    let by_variable = [
        ("LOCKKEEPER__NOTIFY__TEAM__SECRET", "sesame"),
        ("LOCKKEEPER__NOTIFY__TEAM__EVENTS", "waiting, promoted"),
        ("LOCKKEEPER__NOTIFY__TEAM__STAGES", "prod"),
    ];
    let found = load("form = 'slack'\nurl = 'https://e.example/x'", &by_variable).unwrap();
    assert_eq!(found.notify[0].occasions, BTreeSet::from([Occasion::Waiting, Occasion::Promoted]));
    assert!(found.notify[0].secret.is_some() && found.notify[0].stages.as_ref().unwrap().len() == 1);
    let safe =
        "wanted https://host/path, or http:// on this machine (127.0.0.1, ::1, localhost), without a user";
    let url = "form = 'slack'\nurl = 'https://e.example/x'\n";
    for (lines, want) in [
        ("form = 'slack'", "setting `notify.0.url` is missing: target `team` needs it, or `url_file` where it is a secret".to_owned()),
        ("form = 'slack'\nurl = 'http://e.example/x'", format!("setting `notify.0.url` in my.toml: {safe}")),
        ("form = 'slack'\nurl = 'https://me:word@e.example/x'", format!("setting `notify.0.url` in my.toml: {safe}")),
        ("form = 'slack'\nurl = 'file:///etc/passwd'", format!("setting `notify.0.url` in my.toml: {safe}")),
        (&format!("{url}secret = 'sesame'"), "setting `notify.0.secret` in my.toml: a secret stands in a file (`secret_file`) or a variable, never here".to_owned()),
        (&format!("{url}url_file = 'x'"), "setting `notify.0.url` in my.toml: there is a `url_file`, too; wanted one of them".to_owned()),
        (&format!("{url}stages = []"), "setting `notify.0.stages` in my.toml: wanted at least one; leave the key out for all".to_owned()),
        (&format!("{url}stages = ['Prod']"), "setting `notify.0.stages` in my.toml: name `Prod` is not 1 to 63 of `a-z`, `0-9`, `-`, with a letter or digit at both ends".to_owned()),
        (&format!("{url}event = ['waiting']"), "unknown settings: `notify.0.event` in my.toml".to_owned()),
    ] {
        assert_eq!(load(lines, &[]).unwrap_err(), want, "{lines}");
    }
    assert!(
        load(&format!("{url}events = ['replied']"), &[])
            .unwrap_err()
            .contains("does not have variant constructor replied")
    );
}

const KEYS: &str = r#"{"keys":[{"kty":"RSA","kid":"a","n":"AQ","e":"AQAB"}]}"#;

fn token(issuer: &str, keys: &Path) -> String {
    format!("token = {{ keys_file = {keys:?}, issuer = '{issuer}', audience = 'b', email = 'c' }}")
}

fn load_webhook(place: &Place, kind: &str, rest: &str) -> Result<Settings, String> {
    place.load(&format!("[[webhooks]]\nkind = '{kind}'\npath = 'main'\n{rest}\n{REPOSITORY}"), &[])
}

#[test]
fn every_kind_of_webhook_says_by_what_it_is_let_in() {
    let place = Place::new();
    let long = place.file("long", &"0a".repeat(16));
    let keys = place.file("keys", KEYS);
    let secret = format!("secret_files = [{long:?}]");
    let here = "registry = 'registry.example.com:5000/docker'";
    for (kind, rest) in [
        ("distribution", secret.clone()),
        ("gitlab", secret.clone()),
        ("harbor", format!("{secret}\nheader = 'X-Harbor'")),
        ("dockerhub", secret.clone()),
        ("github", secret.clone()),
        ("quay", format!("{secret}\naliases = {{ 'Quay.example' = 'registry.example' }}")),
        ("acr", secret.clone()),
        ("eventgrid", secret.clone()),
        ("eventgrid", format!("{secret}\nheader = 'X-Secret'")),
        ("ecr", format!("{secret}\naliases = {{ '1.eu' = 'registry.example' }}")),
        ("ecr", format!("{secret}\n{here}")),
        ("gar", token("a", &keys)),
        ("artifactory", secret.clone()),
        ("nexus", format!("{secret}\n{here}")),
        ("zot", format!("{secret}\n{here}")),
        ("gitea", format!("{secret}\n{here}")),
        ("generic", secret.clone()),
    ] {
        let webhook = load_webhook(&place, kind, &rest)
            .unwrap_or_else(|error| panic!("{kind}: {error}"))
            .webhooks
            .remove(0);
        assert_eq!(webhook.secrets.is_empty(), webhook.kind.proof() == Proof::Token, "{kind}");
        assert_eq!(webhook.aliases.contains_key("quay.example"), kind == "quay");
        if webhook.kind.proof() != Proof::Token {
            let error = load_webhook(&place, kind, here).unwrap_err();
            assert!(error.ends_with("webhook `main` needs a file with its secret"), "{kind}: {error}");
        }
    }
}

#[test]
fn a_webhook_that_would_let_in_anybody_or_tell_of_nothing_is_refused() {
    let place = Place::new();
    let long = place.file("long", &"0a".repeat(16));
    let keys = place.file("keys", KEYS);
    let (short, odd) = (place.file("short", &"0".repeat(31)), place.file("odd", &"0/".repeat(16)));
    let secret = format!("secret_files = [{long:?}]");
    let address = "the secret becomes part of an address";
    let nowhere = "what is sent does not say from where images are pulled";
    for (kind, rest, want) in [
        ("harbour", secret.clone(), "does not have variant constructor harbour"),
        ("quay", format!("secret_files = [{short:?}]"), address),
        ("dockerhub", format!("secret_files = [{long:?}, {odd:?}]"), address),
        ("quay", format!("{secret}\nheader = 'X-Secret'"), "does not show a secret in a header"),
        ("eventgrid", format!("secret_files = [{short:?}]"), address),
        ("gar", String::new(), "needs this table, which says what tokens count"),
        ("gar", format!("{}\n{secret}", token("a", &keys)), "shows a token, and no secret"),
        ("gar", token("", &keys), "setting `webhooks.0.token.issuer` is missing"),
        ("gar", token("a", &long), "wanted a JWK set"),
        ("gar", token("a", Path::new("/nowhere/keys")), "secret of setting `webhooks.0.token.keys_file`"),
        ("harbor", format!("{secret}\n{}", token("a", &keys)), "shows a secret, and no token"),
        ("nexus", secret.clone(), nowhere),
        ("zot", format!("{secret}\naliases = {{ 'a' = 'registry.example' }}"), nowhere),
        ("gitea", secret.clone(), nowhere),
        ("ecr", secret.clone(), nowhere),
        (
            "harbor",
            format!("{secret}\nregistry = 'harbor'"),
            "setting `webhooks.0.registry` in my.toml: wanted a host",
        ),
        ("harbor", format!("{secret}\nregistry = 'https://registry.example'"), "wanted a host"),
        (
            "harbor",
            format!("{secret}\naliases = {{ 'a' = '' }}"),
            "setting `webhooks.0.aliases` in my.toml: wanted a host",
        ),
        ("harbor", format!("{secret}\nheader = 'a b'"), "wanted the name of a header"),
    ] {
        let error = load_webhook(&place, kind, &rest).unwrap_err();
        assert!(error.contains(want), "{kind} {rest}: {error}");
    }
}

const GITHUB_REPOSITORY: &str = "
[[repositories]]
name = 'env'
forge = 'github'
github = { repository = 'Acme/environments' }
";

/// Settings with this table, and a repository whose entry ends so; `KEY` is a file that holds something.
fn github(table: &str, repository: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let place = Place::new();
    let (key, empty) = (place.file("key", "hunter2"), place.file("empty", ""));
    let text = format!("{table}{GITHUB_REPOSITORY}{repository}");
    let text = text.replace("KEY", &key.display().to_string()).replace("EMPTY", &empty.display().to_string());
    place.load(&text, variables)
}

const APP: &str = "[github]\napp_id = 7\nprivate_key_file = 'KEY'\n";

#[test]
fn a_repository_at_github_needs_little() {
    let settings = github(APP, "", &[]).unwrap();
    let Forge::GitHub(forge) = &settings.repositories[0].forge else { panic!("github") };
    assert_eq!((forge.repository.owner(), forge.repository.name()), ("Acme", "environments"));
    assert_eq!(forge.merge, MergeMethod::Merge);
    assert_eq!(settings.repositories[0].location, "https://github.com/Acme/environments.git");
    let github_settings = settings.github.unwrap();
    assert_eq!(github_settings.api_url, "https://api.github.com");
    assert!(matches!(github_settings.identity, GitHubIdentity::App { id: 7, .. }));
    assert_eq!(github_settings.timeout, Duration::from_secs(30));
    assert!(github_settings.webhook_secrets.is_empty());

    let table = "[github]\ntoken_file = 'KEY'\napi_url = 'https://GHE.example.com/api/v3/'\nwebhook_secret_files = ['KEY']\n";
    let variables = [
        ("LOCKKEEPER__GITHUB__WEBHOOK_SECRET", "second"),
        ("LOCKKEEPER__REPOSITORIES__ENV__GITHUB__MERGE", "squash"),
    ];
    let settings = github(table, "", &variables).unwrap();
    assert_eq!(settings.repositories[0].location, "https://ghe.example.com/Acme/environments.git");
    let Forge::GitHub(forge) = &settings.repositories[0].forge else { panic!("github") };
    assert_eq!(forge.merge, MergeMethod::Squash);
    assert!(!format!("{settings:?}").contains("hunter2"));
    let secrets = settings.github.unwrap().webhook_secrets;
    assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["hunter2", "second"]);

    let variables =
        [("LOCKKEEPER__GITHUB__APP_ID", "9"), ("LOCKKEEPER__REPOSITORIES__ENV__LOCATION", "/x.git")];
    let settings = github(APP, "", &variables).unwrap();
    assert_eq!(settings.repositories[0].location, "/x.git");
    assert!(matches!(settings.github.unwrap().identity, GitHubIdentity::App { id: 9, .. }));
}

fn invalid(key: &str, reason: &str) -> String {
    format!("setting `{key}` in my.toml: {reason}")
}

fn missing(key: &str, reason: &str) -> String {
    format!("setting `{key}` is missing: {reason}")
}

fn check_github(table: &str, repository: &str, want: &str) {
    assert_eq!(github(table, repository, &[]).unwrap_err(), want, "{table}{repository}");
}

#[test]
fn exactly_one_identity_is_wanted() {
    for (table, want) in [
        (
            "",
            missing(
                "github",
                "repository `env` has `forge = \"github\"`, which needs the table `[github]` with `app_id` and `private_key_file`, or with `token_file`",
            ),
        ),
        (
            "[github]\n",
            missing(
                "github.app_id",
                "`[github]` needs `app_id` with `private_key_file` (a GitHub App), or `token_file` instead",
            ),
        ),
        (
            "[github]\napp_id = 7\n",
            missing(
                "github.private_key_file",
                "`app_id` needs the file that holds the private key of the App",
            ),
        ),
        (
            "[github]\nprivate_key_file = 'KEY'\n",
            missing("github.app_id", "`private_key_file` needs the id of its App"),
        ),
        (
            "[github]\napp_id = 7\ntoken_file = 'KEY'\n",
            invalid(
                "github.token_file",
                "wanted one identity: `app_id` with `private_key_file`, or `token_file`, not both",
            ),
        ),
    ] {
        check_github(table, "", &want);
    }
}

#[test]
fn secrets_of_github_are_never_empty_and_never_in_the_settings() {
    let empty = |key: &str| format!("secret of setting `{key}`: empty is empty");
    check_github("[github]\ntoken_file = 'EMPTY'\n", "", &empty("github.token_file"));
    check_github("[github]\napp_id = 7\nprivate_key_file = 'EMPTY'\n", "", &empty("github.private_key_file"));
    let files = format!("{APP}webhook_secret_files = ['KEY', 'EMPTY']\n");
    check_github(&files, "", &empty("github.webhook_secret_files"));
    let inline = "a secret stands in a file (`webhook_secret_files`) or a variable, never here";
    check_github(
        &format!("{APP}webhook_secret = 'hunter2'\n"),
        "",
        &invalid("github.webhook_secret", inline),
    );
    let empty = github(APP, "", &[("LOCKKEEPER__GITHUB__WEBHOOK_SECRET", " ")]).unwrap_err();
    assert_eq!(empty, "secret of setting `github.webhook_secret`: the variable is empty");
}

#[test]
fn addresses_and_names_at_github_are_checked() {
    for url in
        ["https://github.com", "http://ghe.example.com/api/v3", "https://a@b/api/v3", "https://", "ftp://x"]
    {
        let reason = format!("wanted https://api.github.com, or https://<host>/api/v3, found \"{url}\"");
        check_github(&format!("{APP}api_url = '{url}'\n"), "", &invalid("github.api_url", &reason));
    }
    let webhook = format!("{APP}[[webhooks]]\nkind = 'generic'\npath = 'GitHub'\nsecret_files = ['KEY']\n");
    let taken = "the name belongs to the deliveries of `[github]`; wanted another one";
    check_github(&webhook, "", &invalid("webhooks.0.path", taken));
    let needs_table =
        "repository `b` has `forge = \"github\"`, which needs this table with `repository = \"owner/name\"`";
    for (entry, want) in [
        ("forge = 'github'", missing("repositories.1.github", needs_table)),
        (
            "location = '/x'\ngithub = { repository = 'a/b' }",
            invalid(
                "repositories.1.github",
                "repository `b` has `forge = \"local\"`; leave this table out, or set `forge`",
            ),
        ),
        (
            "forge = 'github'\nlocal = { folder = '/f', people = '/p' }",
            invalid(
                "repositories.1.local",
                "repository `b` has `forge = \"github\"`; leave this table out, or set `forge`",
            ),
        ),
        (
            "forge = 'github'\ngithub = { repository = 'a' }",
            invalid(
                "repositories.1.github.repository",
                "wanted owner/name, of letters, digits, `.`, `_`, `-`, found \"a\"",
            ),
        ),
        (
            "forge = 'github'\ngithub = { repository = 'a/b', merge = 'rebase' }",
            invalid(
                "repositories.1.github.merge",
                "wanted `merge` or `squash`; `rebase` leaves no commit of ours, which would carry the record",
            ),
        ),
        (
            "forge = 'github'\ngithub = { repository = 'a/b', merge = 'x' }",
            invalid("repositories.1.github.merge", "wanted `merge` or `squash`, found \"x\""),
        ),
    ] {
        check_github(APP, &format!("[[repositories]]\nname = 'b'\n{entry}\n"), &want);
    }
}

#[test]
fn a_cluster_is_reached_in_one_way() {
    let place = Place::new();
    let text = format!(
        "{REPOSITORY}\n[clusters.staging]\nkubeconfig = '/nowhere/staging'\ncontext = 'eu'\n[clusters.here]\nin_cluster = true"
    );
    let settings = place.load(&text, &[("LOCKKEEPER__CLUSTERS__STAGING__CONTEXT", "us")]).unwrap();
    let staging =
        ClusterAccess::Kubeconfig { file: "/nowhere/staging".into(), context: Some("us".to_owned()) };
    let found: Vec<(&str, &ClusterAccess)> =
        settings.clusters.iter().map(|cluster| (cluster.name.as_str(), &cluster.access)).collect();
    assert_eq!(found, [("here", &ClusterAccess::InCluster), ("staging", &staging)]);

    let either = "wanted either `kubeconfig` or `in_cluster = true`";
    for (table, key, reason) in [
        ("[clusters.a]", "clusters.a", either),
        ("[clusters.a]\nkubeconfig = ''", "clusters.a", either),
        ("[clusters.a]\nkubeconfig = 'k'\nin_cluster = true", "clusters.a", either),
        (
            "[clusters.a]\nin_cluster = true\ncontext = 'b'",
            "clusters.a.context",
            "belongs to `kubeconfig`, and there is none with `in_cluster`",
        ),
        (
            "[clusters.'a.b']\nin_cluster = true",
            "clusters.a.b",
            "wanted a name of letters, digits, `-`, `_`, found \"a.b\"",
        ),
    ] {
        check(&format!("{table}\n"), &[], &format!("setting `{key}` in my.toml: {reason}"));
    }
    check("[clusters.a]\ntoken = 'x'\n", &[], "unknown settings: `clusters.a.token` in my.toml");
}

/// Whoever asks a registry by hand may lack the secrets of the server.
#[test]
fn how_registries_are_asked_is_known_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my.toml");
    let text = "[registry]\nrealm_hosts = ['git.example']\ntimeout = '7s'\n\
                [[webhooks]]\nkind = 'harbor'\npath = 'harbor'\nsecret_files = ['/nowhere/secret']\n";
    std::fs::write(&file, text).unwrap();
    assert!(Settings::load_from(Some(&file), []).is_err());
    let read = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::load_registry_from(Some(&file), variables).unwrap()
    };
    let registry = read(&[]);
    assert_eq!(registry.realm_hosts, ["git.example"]);
    assert_eq!(registry.timeout, std::time::Duration::from_secs(7));
    let registry = read(&[("LOCKKEEPER__REGISTRY__REALM_HOSTS", "a.example,b.example")]);
    assert_eq!(registry.realm_hosts, ["a.example", "b.example"]);
    assert!(Settings::load_registry_from(None, []).unwrap().realm_hosts.is_empty());
}
