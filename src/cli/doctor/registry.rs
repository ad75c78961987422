//! Whether the registries have what the pipelines follow.

use super::Findings;
use crate::image::Digest;
use crate::pipeline::{ImageRule, Pipeline};
use crate::plan::Pick;
use crate::reconcile::pick;
use crate::registry::{Registry, RegistryError, SignatureError};
use crate::signature::PublicKey;

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
            Ok(Pick::Found { tag, digest }) => {
                findings.good(subject.clone(), format!("{tag} is {}", digest.short()));
                signature(registry, rule, digest, subject, findings).await;
            }
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

/// Whether what is picked is signed, where it has to be.
async fn signature(
    registry: &dyn Registry,
    rule: &ImageRule,
    digest: Digest,
    subject: String,
    findings: &mut Findings,
) {
    let keys: Vec<PublicKey> = rule.signed_by.iter().map(|signer| signer.key.clone()).collect();
    if keys.is_empty() {
        return;
    }
    match registry.signature(&rule.repository, digest, &keys).await {
        Ok(signed) => {
            let signer = rule.signed_by.iter().find(|signer| signer.key.id() == signed.key);
            let name = signer.map_or("", |signer| signer.name.as_str());
            let text = format!("{} is signed by key {name} ({})", digest.short(), signed.key.short());
            findings.good(subject, text);
        }
        Err(SignatureError::Registry(error)) => {
            let text = format!("whether {} is signed is unknown: {error}", digest.short());
            findings.bad(subject, text, fix_of(&error));
        }
        Err(error @ (SignatureError::Missing | SignatureError::NoneCounts { .. })) => findings.notice(
            subject,
            format!("{} is not signed by a key of `signed_by`: {error}", digest.short()),
            "sign it (cosign sign --key), or change `signed_by` in lockkeeper.yaml: until then it is not proposed",
        ),
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
