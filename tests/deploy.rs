//! What is in `deploy/`: read by the programs that will read it, where the machine has them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/parts.rs"]
mod parts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockkeeper::cluster::kubernetes::Resource;
use lockkeeper::forge::github::needs::{Access, EVENTS, PERMISSIONS};
use lockkeeper::settings::Settings;
use parts::part;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn output(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}\n{stdout}{stderr}");
    stdout.into_owned()
}

/// The sources of the `COPY` lines that take files from the repository.
fn copied(dockerfile: &str) -> Vec<String> {
    let copies = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"));
    let sources = copies.flat_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words[..words.len() - 1].iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()
    });
    sources.collect()
}

#[test]
fn the_image_is_built_from_files_that_exist() {
    let sources = copied(&text("deploy/Dockerfile"));
    let ignored = text("deploy/Dockerfile.dockerignore");
    assert!(sources.len() >= 6, "{sources:?}");
    for source in &sources {
        assert!(root().join(source).exists(), "{source}");
        assert!(
            ignored.lines().any(|line| line == format!("!{source}")),
            "{source} is kept from the builder"
        );
    }
}

/// What the sources take in at compile time must be in the image's build as well.
#[test]
fn the_image_is_built_from_all_files_that_the_sources_take_in() {
    let sources = copied(&text("deploy/Dockerfile"));
    let mut files = vec![root().join("src")];
    let mut taken_in = Vec::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            files.extend(entries.filter(|path| !path.ends_with("tests") && !path.ends_with("tests.rs")));
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            let named = source.lines().filter_map(|line| {
                line.split_once("include_str!(\"").or(line.split_once("include_bytes!(\""))
            });
            taken_in.extend(named.filter_map(|(_, rest)| Some(path.parent()?.join(rest.split('"').next()?))));
        }
    }
    assert!(!taken_in.is_empty());
    for file in taken_in {
        let real = fs::canonicalize(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let is_copied =
            sources.iter().any(|source| real.starts_with(fs::canonicalize(root().join(source)).unwrap()));
        assert!(is_copied, "{} is not copied", real.display());
    }
}

/// The manifest names no target whose file the image's build lacks.
#[test]
fn cargo_accepts_the_files_of_the_image() {
    let folder = tempfile::tempdir().unwrap();
    for source in copied(&text("deploy/Dockerfile")) {
        std::os::unix::fs::symlink(root().join(&source), folder.path().join(&source)).unwrap();
    }
    let cargo = PathBuf::from(env!("CARGO"));
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"];
    let found = output(Command::new(cargo).args(arguments).current_dir(folder.path()));
    assert!(found.contains("\"name\":\"lockkeeper\""));
}

#[test]
fn the_image_runs_without_root_and_with_what_ssh_needs() {
    let dockerfile = text("deploy/Dockerfile");
    let last = dockerfile.rsplit("\nFROM ").next().unwrap();
    for line in [
        "USER 65532:65532",
        "ca-certificates git openssh-client",
        "useradd --uid 65532",
        "LISTEN=0.0.0.0:8080",
    ] {
        assert!(last.contains(line), "{line}");
    }
}

/// Checks the settings that come with it, with these variables of the image or unit, and secrets in a folder of our own.
fn check_settings(file: &str, secrets: &str, variables: &[(&str, &str)], listen: &str) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    for name in ["environments-token", "people.json", "registry-webhook"] {
        for prefix in ["", "secrets_"] {
            fs::write(folder.path().join(format!("{prefix}{name}")), "0123456789abcdef0123456789abcdef")
                .unwrap();
        }
    }
    let settings = folder.path().join("lockkeeper.toml");
    fs::write(&settings, text(file).replace(secrets, here)).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loaded =
        Settings::load_from(Some(&settings), variables).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(loaded.server.listen.to_string(), listen);
    assert_eq!(loaded.store.path, Path::new("/var/lib/lockkeeper/lockkeeper.db"));
    assert_eq!((loaded.repositories.len(), loaded.webhooks.len()), (1, 1));
}

#[test]
fn the_settings_are_valid() {
    let store = ("LOCKKEEPER__STORE__PATH", "/var/lib/lockkeeper/lockkeeper.db");
    let listen = ("LOCKKEEPER__SERVER__LISTEN", "0.0.0.0:8080");
    for (file, (name, value)) in [
        ("deploy/Dockerfile", store),
        ("deploy/Dockerfile", listen),
        ("deploy/systemd/lockkeeper.service", store),
    ] {
        assert!(text(file).contains(&format!("{name}={value}")), "{file}: {name}");
    }
    check_settings(
        "deploy/kubernetes/lockkeeper.toml",
        "/run/secrets/lockkeeper",
        &[store, listen],
        "0.0.0.0:8080",
    );
    check_settings(
        "deploy/systemd/lockkeeper.toml",
        "/run/credentials/lockkeeper.service",
        &[store],
        "127.0.0.1:8080",
    );
}

#[test]
fn kustomize_builds_the_base() {
    let Some(kubectl) = part("kubectl") else { return };
    let built = output(Command::new(kubectl).arg("kustomize").arg(root().join("deploy/kubernetes")));
    let documents: Vec<serde_yaml::Value> =
        built.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect();
    let of_kind = |kind: &str| {
        documents.iter().find(|document| document["kind"] == kind).unwrap_or_else(|| panic!("{kind}"))
    };
    let pod = &of_kind("Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(of_kind("Deployment")["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(of_kind("Deployment")["spec"]["replicas"], 1);
    assert_eq!(container["image"], "lockkeeper:0.1.0");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let name = of_kind("ConfigMap")["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("lockkeeper-settings-"), "{name}");
    assert_eq!(pod["volumes"][0]["configMap"]["name"], name);
    assert_eq!(of_kind("ServiceAccount")["automountServiceAccountToken"], false);
    assert_eq!(of_kind("NetworkPolicy")["spec"]["podSelector"], of_kind("Deployment")["spec"]["selector"]);
    assert_eq!(
        of_kind("Service")["spec"]["selector"],
        of_kind("Deployment")["spec"]["selector"]["matchLabels"]
    );
    assert_eq!(
        of_kind("PersistentVolumeClaim")["metadata"]["name"],
        pod["volumes"][2]["persistentVolumeClaim"]["claimName"]
    );
    check_restricted(pod);
}

fn documents(kubectl: &Path, folder: &Path) -> Vec<serde_yaml::Value> {
    let built = output(
        Command::new(kubectl).args(["kustomize", "--load-restrictor=LoadRestrictionsNone"]).arg(folder),
    );
    built.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

#[test]
fn the_component_lets_the_pod_read_its_own_cluster() {
    let Some(kubectl) = part("kubectl") else { return };
    let here = tempfile::tempdir().unwrap();
    // Bases are named by their relative paths alone.
    std::os::unix::fs::symlink(root().join("deploy"), here.path().join("deploy")).unwrap();
    let folder = here.path().join("mine");
    fs::create_dir(&folder).unwrap();
    let text =
        "resources: [../deploy/kubernetes]\ncomponents: [../deploy/kubernetes/cluster]\nnamespace: locks\n";
    fs::write(folder.join("kustomization.yaml"), text).unwrap();
    let documents = documents(&kubectl, &folder);
    let of_kind = |kind: &str| documents.iter().find(|document| document["kind"] == kind).unwrap();
    let pod = &of_kind("Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], true);
    check_restricted(pod);
    let egress = of_kind("NetworkPolicy")["spec"]["egress"].as_sequence().unwrap();
    assert_eq!(egress.len(), 3);
    assert_eq!(egress[2]["ports"][0]["port"], 6443);
}

/// What the program reads is allowed, and nothing else.
#[test]
fn the_role_allows_what_is_read() {
    let role: serde_yaml::Value =
        serde_yaml::from_str(&text("deploy/kubernetes/observed/role.yaml")).unwrap();
    let mut allowed = BTreeMap::new();
    for rule in role["rules"].as_sequence().unwrap() {
        for resource in rule["resources"].as_sequence().unwrap() {
            let group = rule["apiGroups"][0].as_str().unwrap();
            allowed.insert((group.to_owned(), resource.as_str().unwrap().to_owned()), rule["verbs"].clone());
        }
    }
    let read: BTreeMap<_, _> = Resource::all()
        .map(|found| {
            (
                (found.group().to_owned(), found.plural().to_owned()),
                serde_yaml::from_str("[list, watch]").unwrap(),
            )
        })
        .collect();
    assert_eq!(allowed, read);
    let Some(kubectl) = part("kubectl") else { return };
    let documents = documents(&kubectl, &root().join("deploy/kubernetes/observed"));
    let kinds: Vec<&str> = documents.iter().map(|document| document["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Role", "RoleBinding"]);
    assert_eq!(documents[1]["roleRef"]["name"], documents[0]["metadata"]["name"]);
}

/// What a namespace asks for that enforces the pod security standard "restricted".
fn check_restricted(pod: &serde_yaml::Value) {
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["runAsUser"], 65532);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
}

#[test]
fn systemd_accepts_the_unit() {
    let Some(analyze) = part("systemd-analyze") else { return };
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("lockkeeper.service");
    // The program is not installed here, and verify wants it to be.
    let program = env!("CARGO_BIN_EXE_lockkeeper");
    fs::write(&unit, text("deploy/systemd/lockkeeper.service").replace("/usr/local/bin/lockkeeper", program))
        .unwrap();
    let Output { status, stderr, .. } =
        Command::new(&analyze).arg("verify").arg("--man=no").arg(&unit).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success() && !stderr.contains("lockkeeper.service:"), "{stderr}");
    let arguments = ["security", "--offline=true", "--no-pager", "--threshold=20"];
    output(Command::new(&analyze).args(arguments).arg(&unit));
}

/// One list of what the App needs: the program's, to which `lockkeeper doctor` holds an installation.
#[test]
fn the_app_is_registered_with_what_the_program_needs() {
    let manifest: serde_json::Value = serde_json::from_str(&text("deploy/github-app.json")).unwrap();
    let wanted: BTreeMap<String, String> =
        PERMISSIONS.iter().map(|need| (need.name.to_owned(), need.access.name().to_owned())).collect();
    let found: BTreeMap<String, String> =
        serde_json::from_value(manifest["default_permissions"].clone()).unwrap();
    assert_eq!(found, wanted, "deploy/github-app.json");
    assert_eq!(manifest["default_events"], serde_json::json!(EVENTS), "deploy/github-app.json");
    let document = text("docs/github.md");
    for need in PERMISSIONS {
        let access = match need.access {
            Access::Read => "read",
            Access::Write => "read and write",
        };
        let row = format!("| {} | {access} | ", need.title);
        assert_eq!(document.matches(&row).count(), 1, "docs/github.md: {row}");
    }
    let events = EVENTS.map(|event| format!("`{event}`")).join(", ");
    assert!(document.contains(&format!("Events: {events}.")), "docs/github.md: {events}");
}
