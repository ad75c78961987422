//! The architecture, held: the one-way rule, the owner of each package, and what the pure core does without.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Packages, and the only places that may name them.
const OWNERS: [(&str, &[&str]); 15] = [
    ("git2", &["repository"]),
    ("oci_client", &["registry"]),
    ("docker_credential", &["registry"]),
    ("aws_lc_rs", &["signature"]),
    ("serde_yaml", &["pipeline", "manifest"]),
    ("granit_parser", &["pipeline", "manifest"]),
    ("regex", &["pipeline"]),
    ("kube", &["cluster"]),
    ("k8s_openapi", &["cluster"]),
    ("octocrab", &["forge"]),
    ("jsonwebtoken", &["server"]),
    ("sqlx", &["store"]),
    ("config", &["settings", "cli"]),
    ("axum", &["server", "forge", "demo"]),
    ("anyhow", &["main"]),
];

/// The pure core, and what no file of it may hold.
const PURE: [&str; 11] = [
    "image",
    "signature",
    "pipeline",
    "manifest",
    "commit",
    "pull_request",
    "observation",
    "command",
    "promotion",
    "plan",
    "lint",
];
const IMPURE: [&str; 10] = [
    "async ",
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "std::env",
    "tokio::",
    "tracing::",
    "rand::",
    "Timestamp::now",
    "SystemTime",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in reading order, as `lib.rs` declares them.
fn modules() -> Vec<String> {
    let text = std::fs::read_to_string(source().join("lib.rs")).unwrap();
    let names = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

/// Every file of every module, without its tests.
fn files() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut found: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for module in modules().into_iter().chain(["main".to_owned()]) {
        let mut paths = vec![source().join(format!("{module}.rs")), source().join(&module)];
        while let Some(path) = paths.pop() {
            if path.is_dir() {
                paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.is_file() && path.extension().is_some_and(|end| end == "rs") && !is_test(&path) {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
                found.entry(module.clone()).or_default().push((path, code));
            }
        }
    }
    found
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// The code of a file without its comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let order = modules();
    let mut wrong = Vec::new();
    for (module, files) in files() {
        let Some(place) = order.iter().position(|name| *name == module) else { continue };
        for (path, text) in files {
            for (line, code) in code(&text) {
                for (below, name) in order.iter().enumerate().skip(place + 1) {
                    if code.contains(&format!("crate::{name}::")) || code.contains(&format!("crate::{name};"))
                    {
                        wrong.push(format!(
                            "{}:{line} uses {name} (place {below}, below {module})",
                            path.display()
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a line goes into the package: by its whole name, and not by a module of another package that is called like it.
fn is_named(code: &str, package: &str) -> bool {
    code.match_indices(&format!("{package}::")).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !matches!(before, '_' | ':'))
    })
}

#[test]
fn a_package_is_told_from_what_is_called_like_it() {
    for (code, want) in [
        ("use config::Config;", true),
        ("(config::Config)", true),
        ("use kube::config::Config;", false),
        ("Kubeconfig::read()", false),
        ("my_config::read()", false),
    ] {
        assert_eq!(is_named(code, "config"), want, "{code}");
    }
}

#[test]
fn a_package_is_named_by_its_owner_alone() {
    let mut wrong = Vec::new();
    for (module, files) in files() {
        for (path, text) in files {
            for (line, code) in code(&text) {
                for (package, owners) in OWNERS {
                    if is_named(code, package) && !owners.contains(&module.as_str()) {
                        wrong.push(format!(
                            "{}:{line} names {package}, which belongs to {owners:?}",
                            path.display()
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_pure_core_is_pure() {
    let mut wrong = Vec::new();
    for (module, files) in files().into_iter().filter(|(module, _)| PURE.contains(&module.as_str())) {
        for (path, text) in files {
            for (line, code) in code(&text) {
                for impure in IMPURE {
                    if code.contains(impure) {
                        wrong.push(format!("{}:{line} of {module} has `{}`", path.display(), impure.trim()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_is_looked_at() {
    let order = modules();
    assert!(order.len() >= 15, "lib.rs declares {order:?}");
    for module in PURE {
        assert!(order.iter().any(|name| name == module), "no module {module}");
    }
    for (module, files) in files() {
        assert!(!files.is_empty(), "module {module} has no files");
    }
}

#[test]
fn a_file_is_at_most_400_lines() {
    let mut long = Vec::new();
    for (path, text) in files().into_values().flatten() {
        let lines = text.lines().count();
        if lines > 400 {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_code_of_ours_is_unsafe() {
    let read = |path: &str| std::fs::read_to_string(source().join("..").join(path)).unwrap();
    // The manifest's lint counts for tests and benches, too; `fuzz` is a package of its own.
    assert!(read("Cargo.toml").contains("\n[lints.rust]\nunsafe_code = \"forbid\"\n"));
    assert!(read("fuzz/src/lib.rs").contains("\n#![forbid(unsafe_code)]\n"));
}

#[test]
fn production_code_has_no_switch_for_tests_and_nothing_left_open() {
    let mut wrong = Vec::new();
    for (path, text) in files().into_values().flatten() {
        let lines: Vec<(usize, &str)> = code(&text).collect();
        for (index, (line, code)) in lines.iter().enumerate() {
            let is_switch = code.contains("cfg(test)")
                && !lines.get(index + 1).is_some_and(|(_, next)| next.trim_start().starts_with("mod tests"));
            let is_open = ["todo!", "unimplemented!", "TODO", "FIXME", "#[allow"]
                .iter()
                .any(|word| code.contains(word));
            if is_switch || is_open {
                wrong.push(format!("{}:{line}: {}", path.display(), code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
