//! Many pipelines: environment repositories, an image for each pipeline, and the settings of a server over them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lockkeeper::image::Digest;
use lockkeeper::repository::{Signature, create_bare};
use serde_json::json;

/// As many as `lockkeeper.yaml` may have.
const PIPELINES_PER_REPOSITORY: usize = 1_000;
const PEOPLE: &str = r#"{"people":[{"id":11,"name":"kim","permission":"write","teams":[],"token_sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}"#;

/// Of the webhook `main`.
pub const SECRET: &str = "bench-secret";

pub struct Fleet {
    pub folder: PathBuf,
    pub pipelines: usize,
    pub stages: Vec<&'static str>,
    /// The address of the registry.
    registry: String,
    follow: Follow,
}

/// How the pipelines follow their image.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// `{ semver: ">=1" }`, from 1.0.0.
    Versions,
    /// `{ tag: main }`.
    Main,
}

impl Fleet {
    /// Pipelines at their first version in all stages; a repository for each thousand.
    pub async fn new(
        folder: &Path,
        pipelines: usize,
        stages: &[&'static str],
        registry: String,
        follow: Follow,
    ) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let fleet = Self { folder: folder.to_owned(), pipelines, stages: stages.to_vec(), registry, follow };
        let all: Vec<usize> = (0..pipelines).collect();
        for some in all.chunks(PIPELINES_PER_REPOSITORY) {
            fleet.create_repository(some).await;
        }
        std::fs::write(folder.join("people.json"), PEOPLE).unwrap();
        std::fs::write(folder.join("secret"), SECRET).unwrap();
        std::fs::write(folder.join("lockkeeper.toml"), fleet.settings()).unwrap();
        fleet
    }

    /// Puts an image of a pipeline into the registry; its digest depends on both numbers.
    pub async fn push(&self, pipeline: usize, number: usize) -> Digest {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://{}/v2/team/app-{pipeline}", self.registry);
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": { "Labels": { "build": format!("{pipeline}-{number}") } },
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = config.to_string().into_bytes();
        let digest = Digest::of(&config);
        let answer = client.post(format!("{base}/blobs/uploads/")).send().await.unwrap();
        let place = answer.headers()["location"].to_str().unwrap();
        let mut place = answer.url().join(place).unwrap();
        place.query_pairs_mut().append_pair("digest", &digest.to_string());
        let length = config.len();
        assert!(client.put(place).body(config).send().await.unwrap().status().is_success());
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "layers": [],
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": length },
        });
        let manifest = manifest.to_string().into_bytes();
        let digest = Digest::of(&manifest);
        let put = client.put(format!("{base}/manifests/{}", self.tag(number)));
        let answer = put.header("content-type", media_type).body(manifest).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        digest
    }

    /// The tag of the image with this number.
    pub fn tag(&self, number: usize) -> String {
        match self.follow {
            Follow::Versions => format!("1.{number}.0"),
            Follow::Main => "main".to_owned(),
        }
    }

    /// The image repository of a pipeline, as manifests and the store name it.
    pub fn image(&self, pipeline: usize) -> String {
        format!("{}/team/app-{pipeline}", self.registry)
    }

    /// The environment repository of a pipeline, as the settings name it.
    pub fn repository(pipeline: usize) -> String {
        format!("env-{}", pipeline / PIPELINES_PER_REPOSITORY)
    }

    pub fn repositories(&self) -> usize {
        self.pipelines.div_ceil(PIPELINES_PER_REPOSITORY)
    }

    pub fn settings_file(&self) -> PathBuf {
        self.folder.join("lockkeeper.toml")
    }

    async fn create_repository(&self, pipelines: &[usize]) {
        let mut rules = "version: 1\npipelines:\n".to_owned();
        let mut contents = vec![("renovate.json".to_owned(), self.renovate().into_bytes())];
        let follow = match self.follow {
            Follow::Versions => "{ semver: '>=1' }",
            Follow::Main => "{ tag: main }",
        };
        for &pipeline in pipelines {
            let digest = self.push(pipeline, 0).await;
            let image = self.image(pipeline);
            let _ = write!(
                rules,
                "  - name: app-{pipeline}\n    start: now\n    images:\n      - repository: {image}\n        follow: {follow}\n    stages:\n"
            );
            for stage in &self.stages {
                let path = format!("apps/app-{pipeline}/{stage}.yaml");
                let _ = write!(
                    rules,
                    "      - name: {stage}\n        pins: [{path}]\n        gates: {{ approvals: {{ min: 1, from: [role:write], independent: false }} }}\n"
                );
                contents
                    .push((path, manifest(stage, &format!("{image}:{}@{digest}", self.tag(0))).into_bytes()));
            }
        }
        contents.push(("lockkeeper.yaml".to_owned(), rules.into_bytes()));
        let author = Signature {
            name: "somebody".to_owned(),
            email: "somebody@example.com".to_owned(),
            at: "2026-03-02T09:00:00Z".parse().unwrap(),
        };
        let bare = self.folder.join(format!("{}.git", Self::repository(pipelines[0])));
        create_bare(&bare, "main", &contents, "the environment\n", &author).await.unwrap();
    }

    /// What the peer reads.
    fn renovate(&self) -> String {
        json!({
            "enabledManagers": ["kubernetes"],
            "kubernetes": { "fileMatch": ["^apps/.+\\.yaml$"] },
            "hostRules": [{ "matchHost": self.registry, "insecureRegistry": true }],
        })
        .to_string()
    }

    fn settings(&self) -> String {
        let folder = self.folder.display();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{folder}/store.db\"\n[[webhooks]]\nkind = \"distribution\"\npath = \"main\"\nsecret_files = [\"{folder}/secret\"]\n[registry]\nplain_http_hosts = [\"{}\"]\npoll_interval = \"1h\"\n",
            self.registry
        );
        for number in 0..self.repositories() {
            let _ = write!(
                text,
                "[[repositories]]\nname = \"env-{number}\"\nlocation = \"{folder}/env-{number}.git\"\npoll_interval = \"1h\"\n[repositories.local]\nfolder = \"{folder}/forge-{number}\"\npeople = \"{folder}/people.json\"\n"
            );
        }
        text
    }
}

fn manifest(stage: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app\n  namespace: {stage}\nspec:\n  replicas: 2 # two zones\n  selector: {{ matchLabels: {{ app: app }} }}\n  template:\n    metadata: {{ labels: {{ app: app }} }}\n    spec:\n      containers:\n        - name: app\n          image: {image}\n          ports:\n            - containerPort: 8080\n"
    )
}
