//! What is on this machine: programs, the address, the store, webhooks.

use std::env;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;

use super::Findings;
use crate::pipeline::Pipelines;
use crate::repository::Location;
use crate::server::is_serving;
use crate::settings::{Proof, Settings, WebhookKind};
use crate::store::{Store, StoreError};

/// The bits of a file's mode by which others than its user and group may read or write it.
const OTHERS: u32 = 0o006;
/// A program that tells its version longer than this does not work.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(10);

/// The programs that the locations need.
pub(super) async fn programs(settings: &Settings, findings: &mut Findings) {
    let locations = || settings.repositories.iter().filter_map(|found| Location::parse(&found.location).ok());
    let needs_git = locations().any(|location| matches!(location, Location::File(_)));
    let needs_ssh = locations().any(|location| matches!(location, Location::Ssh(_)));
    for (name, argument, is_needed) in [("git", "--version", needs_git), ("ssh", "-V", needs_ssh)] {
        if is_needed {
            program(name, argument, findings).await;
        }
    }
}

/// Whether there is one who verifies keyless signatures, where they are needed.
pub(super) async fn cosign(
    settings: &Settings,
    repository: &str,
    pipelines: &Pipelines,
    findings: &mut Findings,
) {
    let mut images = pipelines.pipelines.iter().flat_map(|pipeline| &pipeline.images);
    let Some(rule) = images.find(|rule| !rule.signed_by.keyless.is_empty()) else { return };
    match settings.registry.cosign_program.as_ref().and_then(|path| path.to_str()) {
        Some(path) => program(path, "version", findings).await,
        None => findings.bad(
            "program cosign",
            format!(
                "{} in {repository} needs a keyless signature, and the settings name no program that verifies them",
                rule.repository
            ),
            "install cosign, and set `cosign_program` of `[registry]` to its whole path",
        ),
    }
}

async fn program(name: &str, argument: &str, findings: &mut Findings) {
    let subject = format!("program {name}");
    let mut command = tokio::process::Command::new(name);
    command.arg(argument).stdin(Stdio::null()).kill_on_drop(true);
    // Our secrets may stand in variables: none of these programs gets them.
    command.env_clear().envs(["PATH", "HOME"].iter().filter_map(|name| Some((name, env::var_os(name)?))));
    let Ok(ended) = tokio::time::timeout(PROGRAM_TIMEOUT, command.output()).await else {
        let text = format!("gives no answer within {} s", PROGRAM_TIMEOUT.as_secs());
        return findings.bad(subject, text, format!("{name} {argument}"));
    };
    match ended {
        Ok(output) if output.status.success() => {
            // ssh says its version on standard error.
            let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
            let said = String::from_utf8_lossy(&said);
            // cosign paints its name first.
            let version =
                said.lines().find(|line| line.starts_with("GitVersion")).or_else(|| said.lines().next());
            findings.good(subject, version.unwrap_or_default());
        }
        Ok(output) => findings.bad(subject, format!("ends with {}", output.status), "install it anew"),
        Err(error) => findings.bad(subject, error.to_string(), format!("install {name}")),
    }
}

/// Whether people reach the pages by the links that we write.
pub(super) fn server(settings: &Settings, findings: &mut Findings) {
    let server = &settings.server;
    let host = server.url.split_once("://").map_or("", |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_here = name == "localhost"
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_here && !server.listen.ip().is_loopback() {
        findings.notice(
            "server",
            format!("listens on {}, and links name {}", server.listen, server.url),
            "set `url` of `[server]` to the address under which people reach it",
        );
    } else {
        findings.good("server", format!("listens on {}, links name {}", server.listen, server.url));
    }
}

/// Opens, reads and writes the store.
pub(super) async fn store(settings: &Settings, findings: &mut Findings) {
    let path = &settings.store.path;
    let subject = format!("store {}", path.display());
    if !path.exists() {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        if folder.is_dir() {
            findings.notice(subject, "is not there yet", "the first `lockkeeper serve` makes it");
        } else {
            let fix = format!("mkdir -p {}", folder.display());
            findings.bad(subject, format!("folder {} is not there", folder.display()), fix);
        }
        return;
    }
    let written = async {
        let store = Store::open(path).await?;
        store.set_cursor("doctor", &Timestamp::now().to_string()).await?;
        store.counts().await
    };
    match written.await {
        Ok(counts) => findings.good(
            subject,
            format!("can be written; {} pipelines and repositories, {} events", counts.keys, counts.events),
        ),
        Err(error) => {
            let fix = fix_of(&error);
            findings.bad(subject, error.to_string(), fix);
        }
    }
    match is_serving(path) {
        Ok(true) => findings.good("server", "one works on this store"),
        Ok(false) => findings.notice("server", "none works on this store now", "lockkeeper serve"),
        Err(error) => findings.bad("server", error.to_string(), "make the folder of the store writable"),
    }
}

fn fix_of(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unavailable { .. } | StoreError::LeaseLost { .. } => {
            "check that this user may write the file and its folder, and that the disk is not full"
        }
        StoreError::Corrupt { .. } => {
            "move the file away and start the server: it is rebuilt from git history; or restore a backup"
        }
        StoreError::Newer { .. } => "run the newer lockkeeper, or restore the file from before the upgrade",
    }
}

/// What registries may call.
pub(super) fn webhooks(settings: &Settings, findings: &mut Findings) {
    for webhook in &settings.webhooks {
        let secret = if webhook.proof() == Proof::Address { "/<the secret>" } else { "" };
        findings.good(
            format!("webhook {}", webhook.path),
            format!("{}/webhooks/{}{secret}", settings.server.url, webhook.path),
        );
        // Artifactory names itself where it has a base URL, which cannot be seen from here.
        let is_named = webhook.registry.is_some() || !webhook.aliases.is_empty();
        if webhook.kind == WebhookKind::Artifactory && !is_named {
            findings.notice(
                format!("webhook {}", webhook.path),
                "has no `registry`: what is sent counts for nothing where Artifactory has no Custom Base URL",
                "set `registry` to the host, with the folder of the repository if there is one, as manifests have it",
            );
        }
    }
    if let Some(github) = &settings.github {
        let address = format!("{}/webhooks/github", settings.server.url);
        if github.webhook_secrets.is_empty() {
            findings.notice(
                "webhook github",
                "has no secret: GitHub is asked from time to time, and tells nothing",
                format!("set `webhook_secret_files` of `[github]`, and let the App call {address}"),
            );
        } else {
            findings.good("webhook github", address);
        }
    }
    if settings.webhooks.is_empty() {
        let seconds = settings.registry.poll_interval.as_secs();
        findings.notice(
            "webhooks",
            format!("there are none: each registry is asked every {seconds} s"),
            "add a `[[webhooks]]` table, and let the registry call it",
        );
    }
}

/// Whether a secret is kept from others on this machine.
pub(super) fn secret_file(subject: &str, file: &Path, findings: &mut Findings) {
    match std::fs::metadata(file) {
        Ok(found) if found.permissions().mode() & OTHERS != 0 => findings.bad(
            subject,
            format!("{} can be read by everybody on this machine", file.display()),
            format!("chmod o= {}", file.display()),
        ),
        Ok(_) => findings.good(subject, format!("{} is kept from others", file.display())),
        Err(error) => findings.bad(
            subject,
            format!("{}: {error}", file.display()),
            "make the file, readable by this user alone",
        ),
    }
}
