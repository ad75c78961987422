//! Many pipelines: environment repositories, an image for each pipeline, and the settings of a server over them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lockkeeper::demo::registry::{DemoRegistry, ImageSpec};
use lockkeeper::image::Digest;
use lockkeeper::repository::{Signature, create_bare};

pub const STAGES: [&str; 4] = ["dev", "staging", "canary", "prod"];
/// As many as `lockkeeper.yaml` may have.
const PIPELINES_PER_REPOSITORY: usize = 1_000;
const PEOPLE: &str = r#"{"people":[{"id":11,"name":"kim","permission":"write","teams":[],"token_sha256":"0000000000000000000000000000000000000000000000000000000000000000"}]}"#;

pub struct Fleet {
    pub folder: PathBuf,
    pub registry: DemoRegistry,
    pub pipelines: usize,
}

impl Fleet {
    /// Pipelines of four stages each, all at 1.0.0; a repository for each thousand.
    pub async fn new(folder: &Path, pipelines: usize) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let registry = DemoRegistry::start(Vec::new()).await.unwrap();
        let fleet = Self { folder: folder.to_owned(), registry, pipelines };
        let all: Vec<usize> = (0..pipelines).collect();
        for some in all.chunks(PIPELINES_PER_REPOSITORY) {
            fleet.create_repository(some).await;
        }
        std::fs::write(folder.join("people.json"), PEOPLE).unwrap();
        std::fs::write(folder.join("lockkeeper.toml"), fleet.settings()).unwrap();
        fleet
    }

    /// Puts the image of a pipeline into the registry.
    pub fn push(&self, pipeline: usize, version: &str) -> Digest {
        let created = "2026-01-01T00:00:00Z".parse().unwrap();
        let spec = ImageSpec::new(version, &format!("{pipeline:040}"), "https://git.test/app", created);
        self.registry.push_image(&format!("team/app-{pipeline}"), &version.parse().unwrap(), &spec).unwrap()
    }

    /// The image repository of a pipeline, as manifests and the store name it.
    pub fn image(&self, pipeline: usize) -> String {
        format!("{}/team/app-{pipeline}", self.registry.address())
    }

    /// The environment repository of a pipeline, as the settings name it.
    pub fn repository(pipeline: usize) -> String {
        format!("env-{}", pipeline / PIPELINES_PER_REPOSITORY)
    }

    pub fn settings_file(&self) -> PathBuf {
        self.folder.join("lockkeeper.toml")
    }

    async fn create_repository(&self, pipelines: &[usize]) {
        let mut rules = "version: 1\npipelines:\n".to_owned();
        let mut contents = Vec::new();
        for &pipeline in pipelines {
            let digest = self.push(pipeline, "1.0.0");
            let image = self.image(pipeline);
            let _ = write!(
                rules,
                "  - name: app-{pipeline}\n    start: now\n    images:\n      - repository: {image}\n        follow: {{ semver: '>=1' }}\n    stages:\n"
            );
            for stage in STAGES {
                let path = format!("apps/app-{pipeline}/{stage}.yaml");
                let _ = write!(
                    rules,
                    "      - name: {stage}\n        pins: [{path}]\n        gates: {{ approvals: {{ min: 1, from: [role:write], independent: false }} }}\n"
                );
                contents.push((path, manifest(stage, &format!("{image}:1.0.0@{digest}")).into_bytes()));
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

    fn settings(&self) -> String {
        let folder = self.folder.display();
        let mut text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"{folder}/store.db\"\n[registry]\nplain_http_hosts = [\"{}\"]\npoll_interval = \"1h\"\n",
            self.registry.address()
        );
        for number in 0..self.pipelines.div_ceil(PIPELINES_PER_REPOSITORY) {
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
