//! The environment repository: five stages, each in a form of its own.

use crate::image::{Digest, Repository, Tag};

/// The name of the environment repository in the settings.
pub(super) const ENVIRONMENT: &str = "shop";
/// The one pipeline in it.
pub(super) const PIPELINE: &str = "checkout";
/// The image's path at the registry.
pub(super) const IMAGE: &str = "shop/checkout";

/// The stages in which a deployer reports what runs, each with its folder.
pub(super) const CANARIES: [(&str, &str); 2] =
    [("canary-eu", "apps/checkout/canary-eu"), ("canary-us", "apps/checkout/canary-us")];

const FILES: [(&str, &str); 10] = [
    ("README.md", include_str!("assets/environment/README.md")),
    ("lockkeeper.yaml", include_str!("assets/environment/lockkeeper.yaml")),
    (
        "apps/checkout/base/deployment.yaml",
        include_str!("assets/environment/apps/checkout/base/deployment.yaml"),
    ),
    (
        "apps/checkout/base/kustomization.yaml",
        include_str!("assets/environment/apps/checkout/base/kustomization.yaml"),
    ),
    (
        "apps/checkout/dev/kustomization.yaml",
        include_str!("assets/environment/apps/checkout/dev/kustomization.yaml"),
    ),
    (
        "apps/checkout/staging/values.yaml",
        include_str!("assets/environment/apps/checkout/staging/values.yaml"),
    ),
    (
        "apps/checkout/canary-eu/deployment.yaml",
        include_str!("assets/environment/apps/checkout/canary-eu/deployment.yaml"),
    ),
    (
        "apps/checkout/canary-us/deployment.yaml",
        include_str!("assets/environment/apps/checkout/canary-us/deployment.yaml"),
    ),
    ("apps/checkout/prod/eu.yaml", include_str!("assets/environment/apps/checkout/prod/eu.yaml")),
    ("apps/checkout/prod/us.yaml", include_str!("assets/environment/apps/checkout/prod/us.yaml")),
];

/// All files, each stage pinned to this image.
pub(super) fn files(repository: &Repository, tag: &Tag, digest: Digest) -> Vec<(String, Vec<u8>)> {
    let filled = |text: &str| {
        text.replace("{repository}", repository.as_str())
            .replace("{tag}", tag.as_str())
            .replace("{digest}", &digest.to_string())
    };
    FILES.iter().map(|(path, text)| ((*path).to_owned(), filled(text).into_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::pipeline::{FILE_NAME, parse};

    #[test]
    fn every_stage_pins_the_image_where_the_rules_say() {
        let repository: Repository = "127.0.0.1:5000/shop/checkout".parse().unwrap();
        let digest = Digest::of(b"1.4.1");
        let files = files(&repository, &"1.4.1".parse().unwrap(), digest);
        let content = |path: &str| &files.iter().find(|(name, _)| name == path).unwrap().1;
        let rules = String::from_utf8(content(FILE_NAME).clone()).unwrap();
        let pipelines = parse(rules.as_bytes()).unwrap();
        let pipeline = &pipelines.pipelines[0];
        let mut stages = Vec::new();
        for stage in &pipeline.stages {
            stages.push(stage.name.as_str());
            for target in &stage.pins {
                let pins = manifest::find(content(&target.file), &[]).unwrap().pins;
                assert_eq!(pins.len(), 1, "{}", target.file);
                assert_eq!((&pins[0].repository, pins[0].digest), (&repository, Some(digest)));
            }
        }
        assert_eq!(stages, ["dev", "staging", "canary-eu", "canary-us", "prod"]);
    }
}
