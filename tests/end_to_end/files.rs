//! The environment repository: two images through four stages, each in a form of its own.

/// The stages, upstream first.
pub(crate) const STAGES: [&str; 4] = ["dev", "staging", "prod-eu", "prod-us"];

/// What both images are pinned to.
pub(crate) struct Pinned<'a> {
    /// The host of the registry.
    pub(crate) host: &'a str,
    /// The tag.
    pub(crate) version: &'a str,
    /// The digest of `web`.
    pub(crate) web: &'a str,
    /// The digest of `worker`.
    pub(crate) worker: &'a str,
}

/// The file of a stage.
pub(crate) fn path(stage: &str) -> String {
    match stage {
        "dev" => "apps/dev/kustomization.yaml".to_owned(),
        "staging" => "apps/staging/values.yaml".to_owned(),
        "prod-eu" => "apps/prod-eu/all.yaml".to_owned(),
        _ => "apps/prod-us/compose.yaml".to_owned(),
    }
}

/// What the file of a stage holds.
pub(crate) fn text(stage: &str, pinned: &Pinned<'_>) -> String {
    let Pinned { host, version, web, worker } = pinned;
    match stage {
        "dev" => format!(
            "# kustomize\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../base]\nimages:\n- name: {host}/shop/web\n  newTag: {version} # what runs\n  digest: {web}\n\n- digest: '{worker}'\n  newTag: \"{version}\"\n  name: {host}/shop/worker\n"
        ),
        "staging" => format!(
            "# Helm values\r\nreplicas: 2\r\nweb:\r\n  image:\r\n    repository: {host}/shop/web\r\n    tag: \"{version}\"\r\n    digest: {web}\r\nworker:   {{ image: '{host}/shop/worker:{version}@{worker}' }}\r\n"
        ),
        "prod-eu" => format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: web }}\nspec:\n  template:\n    spec:\n      containers:\n        - name: web\n          image: {host}/shop/web:{version}@{web}   # the pin\n          args: [\"--tag={version}\"]\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{ name: worker }}\nspec:\n  schedule: \"0 * * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n            - {{ name: worker, image: \"{host}/shop/worker:{version}@{worker}\" }}\n"
        ),
        _ => format!(
            "services:\n  web:\n    image: {host}/shop/web:{version}@{web}\n    environment: [\"VERSION={version}\"]\n  worker:\n    image: \"{host}/shop/worker:{version}@{worker}\""
        ),
    }
}

/// The lines of a stage's file that a promotion changes, of those above.
pub(crate) fn is_pin(line: &str) -> bool {
    let is_code = |part: &str| line.trim_start_matches(['-', ' ']).starts_with(part);
    (is_code("newTag:") || is_code("tag:") || is_code("digest:") || line.contains("/shop/"))
        && !is_code("name: 127")
        && !is_code("repository:")
}

/// `lockkeeper.yaml`.
pub(crate) fn rules(host: &str) -> String {
    format!(
        "version: 1
pipelines:
  - name: shop
    owner: team:acme/owners
    start: now
    together: same_tag
    images:
      - repository: {host}/shop/web
        follow: {{ semver: \">=1.0\" }}
        platforms: [linux/amd64, linux/arm64]
      - repository: {host}/shop/worker
        follow: {{ semver: \">=1.0\" }}
    stages:
      - name: dev
        pins: [apps/dev/kustomization.yaml]
        merge: automatic
      - name: staging
        pins: [apps/staging/values.yaml]
        gates: {{ soak: 1s }}
        merge: automatic
      - name: prod-eu
        group: prod
        after: [staging]
        pins: [apps/prod-eu/all.yaml]
        gates: {{ approvals: {{ min: 1, from: [\"team:acme/sre\"], independent: false }} }}
        rollback: {{ by: [\"team:acme/oncall\"] }}
      - name: prod-us
        group: prod
        after: [staging]
        pins: [apps/prod-us/compose.yaml]
        gates: {{ approvals: {{ min: 1, from: [\"team:acme/sre\"], independent: false }} }}
        rollback: {{ by: [\"team:acme/oncall\"] }}
"
    )
}
