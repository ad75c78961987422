//! Whether the registries have what the pipelines follow.

use jiff::Timestamp;

use super::Findings;
use crate::image::Digest;
use crate::pipeline::{ImageRule, Pipeline};
use crate::plan::Pick;
use crate::reconcile::pick;
use crate::registry::credentials::is_azure;
use crate::registry::{Registry, RegistryError, SignatureError};
use crate::settings;
use crate::signature::Verified;

/// Picks and resolves each image of the pipeline.
pub(super) async fn images(
    registry: &dyn Registry,
    repository: &str,
    pipeline: &Pipeline,
    findings: &mut Findings,
) {
    for rule in &pipeline.images {
        let subject = format!("image {} of {repository}/{}", rule.repository, pipeline.name);
        match pick(registry, rule, Timestamp::now()).await {
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

/// Whether somebody is named who writes where the settings have tags removed and images locked. `known` are all pipelines
/// there are, where every environment repository could be read.
pub(super) async fn writers(
    registry: &dyn Registry,
    settings: &settings::Registry,
    known: Option<&[Pipeline]>,
    findings: &mut Findings,
) {
    let images = || known.into_iter().flatten().flat_map(|pipeline| &pipeline.images);
    let is_at = |rule: &&ImageRule, host: &str| {
        rule.repository.canonical().split_once('/').is_some_and(|(found, _)| found.eq_ignore_ascii_case(host))
    };
    for (key, hosts) in [("untag_hosts", &settings.untag_hosts), ("lock_hosts", &settings.lock_hosts)] {
        for host in hosts {
            let subject = format!("`{key}`: {host}");
            if key == "lock_hosts" && !is_azure(host) {
                findings.notice(
                    &subject,
                    "is no registry of Azure's by its name",
                    "only Azure's lock images",
                );
            }
            let Some(rule) = images().find(|rule| is_at(rule, host)) else {
                if known.is_some() {
                    findings.notice(
                        &subject,
                        "has no image of any lockkeeper.yaml",
                        "mend or remove the name",
                    );
                }
                continue;
            };
            match registry.may_tag(&rule.repository).await {
                Ok(true) => findings.good(&subject, "somebody is named who writes there"),
                Ok(false) => findings.bad(
                    &subject,
                    "nobody is named who writes there",
                    "name them in the file of `retag_docker_config` of `[registry]`",
                ),
                Err(error) => findings.bad(&subject, error.to_string(), fix_of(&error)),
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
    if rule.signed_by.is_empty() {
        return;
    }
    match registry.signature(&rule.repository, digest, &rule.signed_by.signers()).await {
        Ok(Verified::Key(signed)) => {
            let signer = rule.signed_by.keys.iter().find(|signer| signer.key.id() == signed.key);
            let name = signer.map_or("", |signer| signer.name.as_str());
            let text = format!("{} is signed by key {name} ({})", digest.short(), signed.key.short());
            findings.good(subject, text);
        }
        Ok(Verified::Keyless(keyless)) => {
            let text = format!("{} is signed by {}, as cosign says", digest.short(), keyless.identity());
            findings.good(subject, text);
        }
        Err(SignatureError::Registry(error)) => {
            let text = format!("whether {} is signed is unknown: {error}", digest.short());
            findings.bad(subject, text, fix_of(&error));
        }
        Err(error @ SignatureError::NoCosign { .. }) => {
            let text = format!("whether {} is signed is unknown: {error}", digest.short());
            findings.bad(
                subject,
                text,
                "see what is said of program cosign; run `cosign verify` as the user of the server",
            );
        }
        Err(error) => findings.notice(
            subject,
            format!("{} is not signed by any of `signed_by`: {error}", digest.short()),
            "sign it (cosign sign), or change `signed_by` in lockkeeper.yaml: until then it is not proposed",
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
