//! Whether the registries have what the pipelines follow.

use super::Findings;
use crate::pipeline::Pipeline;
use crate::plan::Pick;
use crate::reconcile::pick;
use crate::registry::{Registry, RegistryError};

/// Picks and resolves each image of the pipeline.
pub(super) async fn images(
    registry: &dyn Registry,
    repository: &str,
    pipeline: &Pipeline,
    findings: &mut Findings,
) {
    for rule in &pipeline.images {
        let subject = format!("image {} of {repository}/{}", rule.repository, pipeline.name);
        match pick(registry, rule).await {
            Ok(Pick::Found { tag, digest }) => findings.good(subject, format!("{tag} is {}", digest.short())),
            Ok(Pick::Refused(reason) | Pick::Failed(reason)) => {
                findings.bad(subject, reason, "change the tags, or `follow` in lockkeeper.yaml");
            }
            Ok(Pick::Nothing) => findings.notice(
                subject,
                "no tag fits `follow`",
                "push one, or change `follow` in lockkeeper.yaml",
            ),
            Err(error) => {
                let fix = fix_of(&error);
                findings.bad(subject, error.to_string(), fix);
            }
        }
    }
}

fn fix_of(error: &RegistryError) -> &'static str {
    match error {
        RegistryError::NotFound { .. } => "check the name of the image in lockkeeper.yaml, or push it",
        RegistryError::Denied { .. } => {
            "log in where `docker_config` of `[registry]` points (docker login), as the user of the server"
        }
        RegistryError::Unavailable { .. } => {
            "check the address and the network; `plain_http_hosts` for plain HTTP"
        }
        RegistryError::Untrusted { .. } => "do not use this image; look at the registry",
    }
}
