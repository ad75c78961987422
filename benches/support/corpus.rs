//! YAML files to measure with: those of `LOCKKEEPER_CORPUS`, or else the fixtures of the tests, many times over.

use std::fs;
use std::path::{Path, PathBuf};

use super::measure::quick;

/// One file of the corpus.
pub struct File {
    /// Its path below the root of the corpus.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Where the corpus comes from, for the head of a table.
pub fn source() -> String {
    match root() {
        Some(_) => "LOCKKEEPER_CORPUS".to_owned(),
        None => "the fixtures of the tests, repeated (LOCKKEEPER_CORPUS is not set)".to_owned(),
    }
}

/// All YAML files that are UTF-8, by name; with `QUICK`, one in twenty.
pub fn files() -> Vec<File> {
    let every = if quick() { 20 } else { 1 };
    match root() {
        Some(root) => {
            let mut paths = Vec::new();
            collect(&root, &mut paths);
            paths.sort();
            paths.iter().step_by(every).filter_map(|path| file(&root, path)).collect()
        }
        None => fixtures(20 / every),
    }
}

pub fn bytes(files: &[File]) -> usize {
    files.iter().map(|file| file.bytes.len()).sum()
}

fn root() -> Option<PathBuf> {
    std::env::var_os("LOCKKEEPER_CORPUS").map(PathBuf::from)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())).flatten()
    {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            collect(&path, paths);
        } else if kind.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            paths.push(path);
        }
    }
}

fn file(root: &Path, path: &Path) -> Option<File> {
    let bytes = fs::read(path).unwrap();
    let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
    std::str::from_utf8(&bytes).is_ok().then_some(File { name, bytes })
}

/// The fixtures of the manifest tests and, so that not all is odd, bundles of plain deployments as large as real ones.
fn fixtures(copies: usize) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifests");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let mut files = Vec::new();
    for copy in 0..copies {
        for found in
            paths.iter().filter(|path| path.ends_with("before.yaml")).filter_map(|path| file(&root, path))
        {
            files.push(File { name: format!("{copy}/{}", found.name), ..found });
        }
        files.push(File { name: format!("{copy}/bundle.yaml"), bytes: bundle(20).into_bytes() });
        files.push(File { name: format!("{copy}/rules.yaml"), bytes: rules(400).into_bytes() });
    }
    files
}

/// Deployments and services, one document each.
pub fn bundle(deployments: usize) -> String {
    (0..deployments).flat_map(|number| [deployment(number), service(number)]).collect()
}

fn deployment(number: usize) -> String {
    let labels = format!("app.kubernetes.io/name: app-{number}");
    let digest = format!("{:064x}", number + 1);
    format!(
        "---
# Deployment {number} of the bundle
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{number}
  labels:
    {labels}
    app.kubernetes.io/part-of: bundle
spec:
  replicas: 3
  selector:
    matchLabels:
      {labels}
  template:
    metadata:
      labels:
        {labels}
    spec:
      containers:
        - name: app
          image: registry.test/acme/app-{number}:1.4.1@sha256:{digest}  # by hand
          args: [\"--listen\", ':8080', --verbose]
          env:
            - name: MODE
              value: \"fast\"
          ports:
            - containerPort: 8080
          resources:
            limits: {{ cpu: 500m, memory: 128Mi }}
"
    )
}

fn service(number: usize) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata:
  name: app-{number}
spec:
  selector:
    app.kubernetes.io/name: app-{number}
  ports:
    - port: 80
      targetPort: 8080
"
    )
}

/// A file without any image: a list of alerting rules.
fn rules(rules: usize) -> String {
    let head = "apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: rules
spec:
  groups:
    - name: all
      rules:
";
    let rule = |number: usize| {
        format!(
            "        - alert: TooSlow{number}
          expr: rate(seconds_sum{{job=\"app-{number}\"}}[5m]) > 0.5
          for: 10m
          labels: {{ severity: page }}
          annotations:
            summary: \"app-{number} answers slowly\"
"
        )
    };
    std::iter::once(head.to_owned()).chain((0..rules).map(rule)).collect()
}
