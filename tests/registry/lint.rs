//! `lockkeeper lint` as people run it: a checkout, Debian's docker-registry, exit codes, every form of the result.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use lockkeeper::demo::registry::DemoRegistry;
use lockkeeper::image::Digest;
use serde_json::{Value, json};

use super::support::docker_registry::{DockerRegistry, HTPASSWD, Options};
use super::{copy_all, spec, tag};

/// How a run ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn lint(folder: &Path, words: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_lockkeeper"))
        .current_dir(folder)
        .arg("lint")
        .args(words)
        // No credentials of whoever runs the tests.
        .env("HOME", folder)
        .env_remove("DOCKER_CONFIG")
        .env_remove("REGISTRY_AUTH_FILE")
        .env_remove("LOCKKEEPER_CONFIG")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[track_caller]
fn expect(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, code, "{ended:#?}");
    for text in texts {
        let found = ended.out.contains(text) || ended.err.contains(text);
        assert!(found, "{text:?} is not in {ended:#?}");
    }
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

/// `file:line rule` of each finding.
fn found(ended: &Ended) -> Vec<String> {
    let findings = json(ended)["findings"].as_array().unwrap().clone();
    let line = |finding: &Value| {
        format!(
            "{}:{} {}",
            finding["file"].as_str().unwrap(),
            finding["line"],
            finding["rule"].as_str().unwrap()
        )
    };
    findings.iter().map(line).collect()
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: web\n      image: {image} # web\n")
}

fn rules(image: &str, lint: &str) -> String {
    format!(
        "version: 1\npipelines:\n  - name: shop\n    images: [{{ repository: \"{image}\", follow: {{ semver: '>=1' }} }}]\n    \
         stages:\n      - {{ name: dev, pins: [dev.yaml], merge: automatic }}\n      - {{ name: prod, pins: [prod.yaml] }}\n{lint}"
    )
}

/// The digest of one platform of an index, as the registry tells it.
async fn child(base: &str, digest: Digest) -> Digest {
    let get = reqwest::Client::new().get(format!("{base}/manifests/{digest}"));
    let get = get.header("Accept", "application/vnd.oci.image.index.v1+json");
    let index: Value = serde_json::from_slice(&get.send().await.unwrap().bytes().await.unwrap()).unwrap();
    index["manifests"][1]["digest"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn lint_asks_a_real_registry_and_fixes_what_a_tag_names() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let there = |version: &str| format!("{}/shop/web:{version}", real.address());
    let mut digests = Vec::new();
    for version in ["1.0.0", "1.1.0"] {
        digests.push(demo.push_image("shop/web", &tag(version), &spec(version)).unwrap());
        let from = format!("{}/shop/web:{version}", demo.address());
        let Some(()) = copy_all(&from, &there(version)).await else { return };
    }
    copy_all(&there("1.0.0"), &there("latest")).await.unwrap();
    let (old, new) = (digests[0], digests[1]);
    let arm64 = child(&format!("http://{}/v2/shop/web", real.address()), new).await;
    let image = format!("{}/shop/web", real.address());
    let absent = Digest::of(b"absent");
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        &[
            ("lockkeeper.yaml", &rules(&image, "")),
            ("dev.yaml", &pod(&format!("{image}:1.1.0@{new}"))),
            ("prod.yaml", &pod(&format!("{image}:1.0.0"))),
            ("a-child.yaml", &pod(&format!("{image}:1.1.0@{arm64}"))),
            ("b-gone.yaml", &pod(&format!("{image}@{absent}"))),
            ("c-moved.yaml", &pod(&format!("{image}:1.1.0@{old}"))),
            ("d-latest.yaml", &format!("{}---\n{}", pod(&image), pod(&format!("{image}:latest")))),
        ],
    );
    let want = [
        "a-child.yaml:6 platform-digest",
        "b-gone.yaml:6 digest-not-found",
        "c-moved.yaml:6 tag-moved",
        "d-latest.yaml:6 latest-tag",
        "d-latest.yaml:13 latest-tag",
        "prod.yaml:6 missing-digest",
    ];
    let all = lint(root, &["-o", "json"]);
    expect(&all, 1, &["is the manifest of linux/arm64 alone", "1 error, 5 warnings"]);
    assert_eq!(found(&all), want);
    expect(&lint(root, &["dev.yaml"]), 0, &["clean · 1 file, 1 reference"]);
    expect(&lint(root, &["c-moved.yaml"]), 0, &["its tag names", &new.short(), "0 errors, 1 warning"]);
    expect(&lint(root, &["c-moved.yaml", "--deny", "warnings"]), 1, &[]);

    // A dry run writes nothing; the fix does not move what is pinned.
    let before = fs::read_to_string(root.join("prod.yaml")).unwrap();
    let rehearsed = lint(root, &["--fix", "--dry-run"]);
    expect(&rehearsed, 0, &["+++ b/prod.yaml", "would pin: prod.yaml:6", "tag-moved"]);
    assert!(rehearsed.out.starts_with("--- a/"), "{rehearsed:#?}");
    assert_eq!(fs::read_to_string(root.join("prod.yaml")).unwrap(), before);
    expect(&lint(root, &["--fix"]), 0, &["pinned: prod.yaml:6", "3 references fixed"]);
    let text = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(text("prod.yaml"), pod(&format!("{image}:1.0.0@{old}")));
    let bare = pod(&format!("{image}@{old}"));
    assert_eq!(text("d-latest.yaml"), format!("{bare}---\n{}", pod(&format!("{image}:latest@{old}"))));
    assert_eq!(text("c-moved.yaml"), pod(&format!("{image}:1.1.0@{old}")));
    assert_eq!(found(&lint(root, &["-o", "json"])), want[..3]);
}

#[tokio::test]
async fn a_registry_that_cannot_be_asked_is_never_clean() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options { htpasswd: Some(HTPASSWD.to_owned()), ..Options::default() };
    let Some(closed) = DockerRegistry::start(&options) else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let digest = Digest::of(b"x");
    let many: Vec<String> =
        (0..20).map(|number| pod(&format!("{free}/shop/web:{number}@{digest}"))).collect();
    write(
        root,
        &[
            ("away.yaml", &many.join("---\n")),
            ("denied.yaml", &pod(&format!("{}/shop/web:1@{digest}", closed.address()))),
        ],
    );
    let away = lint(root, &["away.yaml", "-o", "json"]);
    expect(&away, 7, &["unknown: away.yaml:6", "without an answer", "20 references unknown"]);
    assert_eq!(json(&away)["unknown"].as_array().unwrap().len(), 20);
    expect(
        &lint(root, &["denied.yaml"]),
        7,
        &["unknown: denied.yaml:6", "denies access", "nothing found in what"],
    );
    expect(&lint(root, &["--offline"]), 0, &["note: offline", "clean, as far as the files tell"]);
    expect(&lint(root, &["denied.yaml", "-o", "github"]), 7, &["::warning file=denied.yaml,line=6"]);
    // A finding is worse than not knowing.
    write(root, &[("lockkeeper.yaml", &rules("r.example/web", "lint: { rules: { latest-tag: error } }\n"))]);
    write(root, &[("bad.yaml", &pod("web:latest"))]);
    expect(&lint(root, &["bad.yaml", "denied.yaml"]), 1, &["error[latest-tag]", "unknown: denied.yaml"]);
    let fixed = lint(root, &["denied.yaml", "--fix"]);
    expect(&fixed, 7, &["0 references fixed"]);
}

#[test]
fn rules_around_the_files_count_and_broken_ones_stop() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let digest = Digest::of(b"x");
    let good = pod(&format!("r.example/web:1@{digest}"));
    write(
        root,
        &[
            ("lockkeeper.yaml", &rules("r.example/web", "")),
            ("dev.yaml", &good),
            ("prod.yaml", &pod("r.example/web:1")),
            ("sub/.github/workflows/ci.yml", "jobs: {a: {container: 'node:latest', steps: []}}\n"),
            ("sub/hack/run", "#!/bin/sh\ndocker pull x:latest\n"),
            ("node_modules/x/Dockerfile", "FROM x\n"),
            ("README.md", "docker pull x:latest\n"),
            (".gitignore", "/build/\n*.gen.yaml\n"),
            ("build/Dockerfile", "FROM x\n"),
            ("x.gen.yaml", &pod("x")),
        ],
    );
    let git = Command::new("git").arg("init").arg("--quiet").arg(root).status().unwrap();
    assert!(git.success());
    let all = lint(root, &["--offline", "-o", "json"]);
    expect(&all, 1, &[]);
    let want = [
        "prod.yaml:6 missing-digest",
        "sub/.github/workflows/ci.yml:1 latest-in-ci",
        "sub/hack/run:2 latest-in-ci",
    ];
    assert_eq!(found(&all), want);
    // From a folder below, and of some files alone, as pre-commit does it.
    assert_eq!(found(&lint(&root.join("sub"), &["--offline", "-o", "json"])), want[1..]);
    let some = lint(&root.join("sub"), &["--offline", "../prod.yaml", "../README.md"]);
    expect(
        &some,
        1,
        &["prod.yaml:6:14: error[missing-digest] (shop/prod)", "next: pin it", "not looked at: README.md"],
    );
    expect(&lint(root, &["--offline", "dev.yaml"]), 0, &["clean"]);
    expect(&lint(root, &["--offline", "none.yaml"]), 5, &["none.yaml cannot be read"]);
    expect(&lint(root, &["--offline", "--fix"]), 2, &["cannot be used with"]);
    expect(&lint(root, &["--rules"]), 0, &["latest-tag", "tag-moved (asks the registry)", "why:"]);
    let annotated = lint(root, &["--offline", "-o", "github"]);
    let line =
        "::error file=prod.yaml,line=6,endLine=6,col=14,endColumn=29,title=lockkeeper%3A missing-digest::";
    expect(&annotated, 1, &[line, "%0ANext: pin it", "::notice title=lockkeeper%3A offline::"]);

    write(root, &[("lockkeeper.yaml", &rules("r.example/web", "lint: { rules: { latest: off } }\n"))]);
    expect(
        &lint(root, &["--offline"]),
        3,
        &["lockkeeper.yaml is not valid", "line 8, lint.rules.latest: unknown rule"],
    );
}

/// The demo's environment as it is pushed, and the files of this project.
#[test]
fn our_own_files_are_clean() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ours =
        [".ci", "README.md", "benches", "config", "deploy", "docs", "fuzz", "src", "templates", "tests"];
    expect(
        &lint(project, &[&["--offline", "--deny", "warnings"][..], &ours].concat()),
        0,
        // Some fixtures are there because they cannot be read.
        &["nothing found", "exempted", "not read"],
    );

    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"x").to_string();
    let mut open = vec![project.join("src/demo/assets/environment")];
    let assets = open[0].clone();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("{repository}", "r.example/checkout").replace("{tag}", "1.4.1");
        let name = path.strip_prefix(&assets).unwrap().to_str().unwrap();
        write(folder.path(), &[(name, &text.replace("{digest}", &digest))]);
    }
    expect(&lint(folder.path(), &["--offline", "--deny", "warnings"]), 0, &["clean"]);
}

/// What SARIF 2.1.0 requires of the parts that are written, and that nothing else stands there.
fn schema() -> Value {
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let message = object(&["text"], json!({ "text": { "type": "string", "minLength": 1 } }));
    let multiformat =
        object(&["text"], json!({ "text": { "type": "string" }, "markdown": { "type": "string" } }));
    let level = json!({ "enum": ["none", "note", "warning", "error"] });
    let count = json!({ "type": "integer", "minimum": 1 });
    let region = object(
        &[],
        json!({ "startLine": count, "startColumn": count, "endLine": count, "endColumn": count }),
    );
    let artifact = object(
        &["uri"],
        json!({ "uri": { "type": "string", "pattern": "^[A-Za-z0-9._~/%-]+$" }, "uriBaseId": { "type": "string" } }),
    );
    let physical = object(&["artifactLocation"], json!({ "artifactLocation": artifact, "region": region }));
    let locations = json!({ "type": "array", "items": object(&[], json!({ "physicalLocation": physical })) });
    let rule = object(
        &["id"],
        json!({
            "id": { "type": "string" }, "name": { "type": "string" }, "shortDescription": multiformat,
            "fullDescription": multiformat, "help": multiformat,
            "defaultConfiguration": object(&[], json!({ "level": level })), "properties": { "type": "object" },
        }),
    );
    let driver = object(
        &["name"],
        json!({ "name": { "type": "string" }, "version": { "type": "string" },
                "semanticVersion": { "type": "string" }, "rules": { "type": "array", "uniqueItems": true, "items": rule } }),
    );
    let result = object(
        &["message"],
        json!({
            "ruleId": { "type": "string" }, "ruleIndex": { "type": "integer", "minimum": 0 }, "level": level,
            "message": message, "locations": locations,
            "partialFingerprints": { "type": "object", "additionalProperties": { "type": "string" } },
        }),
    );
    let notification = object(
        &["message"],
        json!({ "descriptor": object(&["id"], json!({ "id": { "type": "string" } })), "level": level,
                "message": message, "locations": locations }),
    );
    let invocation = object(
        &["executionSuccessful"],
        json!({ "executionSuccessful": { "type": "boolean" }, "exitCode": { "type": "integer" },
                "toolExecutionNotifications": { "type": "array", "items": notification } }),
    );
    let run = object(
        &["tool"],
        json!({
            "tool": object(&["driver"], json!({ "driver": driver })),
            "columnKind": { "enum": ["utf16CodeUnits", "unicodeCodePoints"] },
            "invocations": { "type": "array", "items": invocation },
            "results": { "type": "array", "items": result },
        }),
    );
    object(
        &["version", "runs"],
        json!({ "$schema": { "type": "string" }, "version": { "const": "2.1.0" }, "runs": { "type": "array", "items": run } }),
    )
}

#[test]
fn sarif_is_what_its_schema_requires() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unknown = pod(&format!("{away}/web:1@{}", Digest::of(b"x")));
    write(root, &[("a b é.yaml", &pod("web")), ("broken.yaml", "image: [\n"), ("unknown.yaml", &unknown)]);
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for (words, successful, notifications) in
        [(&["--offline", "-o", "sarif"][..], true, 2), (&["-o", "sarif"], false, 2)]
    {
        let log = json(&lint(root, words));
        let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{log:#}");
        let run = &log["runs"][0];
        let result = &run["results"][0];
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b%20%C3%A9.yaml");
        assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&json!(6), &json!(14)));
        assert_eq!(result["partialFingerprints"]["lockkeeper/v1"].as_str().unwrap().len(), 32);
        let invocation = &run["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], successful);
        assert_eq!(
            invocation["toolExecutionNotifications"].as_array().unwrap().len(),
            notifications,
            "{log:#}"
        );
    }
}
