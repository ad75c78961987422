//! A server with pipelines of three stages, a registry that can be pushed to, and a sender of deliveries.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use lockkeeper::demo::registry::{DemoRegistry, ImageSpec};
use lockkeeper::image::Digest;
use lockkeeper::repository::{Signature, create_bare};
use reqwest::Client;

use super::process::Place;

pub(crate) const STAGES: [&str; 3] = ["dev", "staging", "prod"];
const SECRET: &str = "hook-secret";
/// Longest wait for an answer: longer than all that the server itself waits for.
const ANSWER_MAX: Duration = Duration::from_secs(25);

pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) registry: DemoRegistry,
    pub(crate) pipelines: usize,
    client: Client,
    // The last: it goes when nothing works in it any more.
    pub(crate) folder: tempfile::TempDir,
}

/// What a delivery was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) again_after: Option<String>,
    pub(crate) text: String,
}

impl World {
    /// A world with so many pipelines, at 1.0.0 in all stages; no server runs yet.
    pub(crate) async fn new(pipelines: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = DemoRegistry::start(vec![]).await.unwrap();
        let root = folder.path().display();
        let host = registry.address();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        std::fs::write(folder.path().join("people.json"), r#"{"people":[]}"#).unwrap();
        std::fs::write(folder.path().join("docker.json"), "{}").unwrap();
        let lines = format!(
            "[registry]\npoll_interval = \"10m\"\ndocker_config = \"{root}/docker.json\"\nplain_http_hosts = [\"{host}\"]\n\
             [[webhooks]]\nkind = \"distribution\"\npath = \"registry\"\nsecret_files = [\"{root}/secret\"]\nregistry = \"{host}\"\n\
             [[repositories]]\nname = \"env\"\nlocation = \"{root}/env.git\"\npoll_interval = \"10m\"\n\
             [repositories.local]\nfolder = \"{root}/forge\"\npeople = \"{root}/people.json\"\n"
        );
        let place = Place::new(folder.path(), &lines);
        let client = Client::builder().no_proxy().timeout(ANSWER_MAX).build().unwrap();
        let world = Self { place, registry, pipelines, client, folder };
        world.create_repository().await;
        world
    }

    async fn create_repository(&self) {
        let mut rules = "version: 1\npipelines:\n".to_owned();
        let mut files = Vec::new();
        for number in 0..self.pipelines {
            let image = self.image(number);
            let _ = write!(
                rules,
                "  - name: p{number}\n    owner: team:acme/owners\n    start: now\n    images:\n      - repository: {image}\n        follow: {{ semver: \">=1\" }}\n    stages:\n"
            );
            let digest = self.push(number, 0);
            for stage in STAGES {
                let path = format!("p{number}/{stage}.yaml");
                let merge = if stage == "prod" { "approved" } else { "automatic" };
                let gates = if stage == "prod" {
                    ", gates: { approvals: { min: 1, from: [\"team:acme/sre\"], independent: false } }"
                } else {
                    ""
                };
                let _ = writeln!(rules, "      - {{ name: {stage}, pins: [{path}], merge: {merge}{gates} }}");
                files.push((path, self.manifest(number, 0, digest).into_bytes()));
            }
        }
        files.push(("lockkeeper.yaml".to_owned(), rules.into_bytes()));
        let author = Signature {
            name: "li".to_owned(),
            email: "li@example.com".to_owned(),
            at: "2026-03-02T09:00:00Z".parse().unwrap(),
        };
        create_bare(&self.bare(), "main", &files, "the environment\n", &author).await.unwrap();
    }

    pub(crate) fn bare(&self) -> PathBuf {
        self.folder.path().join("env.git")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn image(&self, pipeline: usize) -> String {
        format!("{}/shop/p{pipeline}", self.registry.address())
    }

    /// What the file of a stage holds at this release.
    pub(crate) fn manifest(&self, pipeline: usize, release: u64, digest: Digest) -> String {
        let image = self.image(pipeline);
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{ name: p{pipeline} }} # kept\nspec:\n  containers:\n    - name: p\n      image: {image}:1.0.{release}@{digest}\n"
        )
    }

    /// Puts release 1.0.`release` of a pipeline into the registry, which tells nobody.
    pub(crate) fn push(&self, pipeline: usize, release: u64) -> Digest {
        let at = "2026-03-02T09:00:00Z".parse().unwrap();
        let commit = format!("{release:040x}");
        let spec =
            ImageSpec::new(&format!("p{pipeline} {release}"), &commit, "https://git.example.com/p", at);
        let tag = format!("1.0.{release}").parse().unwrap();
        self.registry.push_image(&format!("shop/p{pipeline}"), &tag, &spec).unwrap()
    }

    /// Tells the server of a release; nothing where nobody answers.
    pub(crate) async fn deliver(&self, id: &str, pipeline: usize, release: u64) -> Option<Answer> {
        let body = format!(
            r#"{{"events":[{{"id":"{id}","action":"push","target":{{"mediaType":"application/vnd.oci.image.index.v1+json","repository":"shop/p{pipeline}","tag":"1.0.{release}"}}}}]}}"#
        );
        let url = format!("http://{}/webhooks/registry", self.place.address);
        let request = self.client.post(url).header("authorization", format!("Bearer {SECRET}")).body(body);
        let answer = request.send().await.ok()?;
        let again_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        Some(Answer {
            status: answer.status().as_u16(),
            again_after,
            text: answer.text().await.unwrap_or_default(),
        })
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("http://{}{path}", self.place.address)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The figure of this metric, with its labels.
    pub(crate) async fn figure(&self, series: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics").await;
        text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
    }
}
