//! Repositories at GitHub, and who lockkeeper is there.

use super::*;

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
