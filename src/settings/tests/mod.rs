//! Layers, sources of errors, secrets.

mod github;
mod webhook;

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
    let examples = include_str!("../../../config/default.toml")
        .lines()
        .skip_while(|line| !line.contains("at least one."));
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
