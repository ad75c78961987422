//! `lockkeeper resolve`: what a tag is now, as the registry's own bytes say.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::{CliError, Exit, Format, Outcome};
use crate::image::{Digest, Reference, Tag};
use crate::registry::credentials::Credentials;
use crate::registry::oci::{OciRegistry, OciSettings};
use crate::registry::{Image, Registry, RegistryError, SignatureError};
use crate::signature::{PublicKey, PublicKeyError, Signed};

/// Show what a tag is now: digest, platforms, labels, as the registry's own bytes say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lockkeeper resolve ghcr.io/acme/checkout:1.4.2\n  \
    lockkeeper resolve --key cosign.pub ghcr.io/acme/checkout:1.4.2\n  \
    lockkeeper resolve --same ghcr.io/acme/checkout:1.4.2 mirror.example.com/acme/checkout:1.4.2")]
pub struct Args {
    /// Image references: `repository[:tag][@digest]`; `latest` where there is neither, the digest where there is one.
    #[arg(required = true)]
    references: Vec<Reference>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    /// Ends with 1 unless all references have one digest.
    #[arg(long)]
    same: bool,
    /// A file with a public key of cosign's; ends with 1 unless one of the keys signed every digest.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// How long one request to a registry may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

/// One reference and what it names.
#[derive(Debug)]
struct Resolved {
    reference: Reference,
    image: Image,
    /// The signature; none where no key was given.
    signed: Option<Signed>,
}

/// The first version of the JSON document.
const API_VERSION: &str = "lockkeeper/v1";
/// The tag that a reference without one means.
const DEFAULT_TAG: &str = "latest";

/// Runs the command with the credentials of the environment.
///
/// # Errors
/// [`CliError`] with 4, 5, 7 or 8, by what the registry says.
pub async fn run(args: Args) -> Outcome {
    let settings = OciSettings { timeout: Duration::from_secs(args.timeout), ..OciSettings::default() };
    let registry = OciRegistry::new(settings, Credentials::from_environment());
    let keys = args.key.iter().map(|file| read_key(file)).collect::<Result<Vec<PublicKey>, CliError>>()?;
    let resolved = resolve_all(&registry, &args.references, &keys).await?;
    // A reader that closed the pipe has what it wanted.
    let _ = std::io::stdout().lock().write_all(render(&resolved, args.output).as_bytes());
    if args.same && !are_same(&resolved) {
        return Err(CliError::new(Exit::Negative, "the references do not have one digest")
            .why(differences(&resolved)));
    }
    Ok(Exit::Ok)
}

async fn resolve_all(
    registry: &dyn Registry,
    references: &[Reference],
    keys: &[PublicKey],
) -> Result<Vec<Resolved>, CliError> {
    let mut resolved = Vec::new();
    for reference in references {
        let image = resolve(registry, reference).await.map_err(|error| failure(&error))?;
        let signed = match keys {
            [] => None,
            keys => Some(signed(registry, reference, image.digest, keys).await?),
        };
        resolved.push(Resolved { reference: reference.clone(), image, signed });
    }
    Ok(resolved)
}

async fn signed(
    registry: &dyn Registry,
    reference: &Reference,
    digest: Digest,
    keys: &[PublicKey],
) -> Result<Signed, CliError> {
    let found = registry.signature(&reference.repository, digest, keys).await;
    found.map_err(|error| match error {
        SignatureError::Registry(error) => failure(&error),
        SignatureError::Missing | SignatureError::NoneCounts { .. } => {
            let pin = Reference { digest: Some(digest), ..reference.clone() };
            CliError::new(Exit::Negative, format!("{pin} is not signed by these keys")).why(error.to_string())
        }
    })
}

fn read_key(file: &Path) -> Result<PublicKey, CliError> {
    let refused =
        |why: String| CliError::new(Exit::Usage, format!("{} is no public key", file.display())).why(why);
    let text = std::fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    text.parse().map_err(|error: PublicKeyError| refused(error.to_string()))
}

async fn resolve(registry: &dyn Registry, reference: &Reference) -> Result<Image, RegistryError> {
    let digest = match reference.digest {
        Some(digest) => digest,
        None => registry.resolve(&reference.repository, &tag_of(reference)?).await?,
    };
    registry.image(&reference.repository, digest).await
}

fn tag_of(reference: &Reference) -> Result<Tag, RegistryError> {
    let default = || DEFAULT_TAG.parse().map_err(|_| RegistryError::NotFound { what: reference.to_string() });
    reference.tag.clone().map_or_else(default, Ok)
}

pub(super) fn failure(error: &RegistryError) -> CliError {
    match error {
        RegistryError::NotFound { what } => {
            CliError::new(Exit::NotFound, error.to_string()).next(format!("check the spelling of {what}"))
        }
        RegistryError::Denied { what, .. } => CliError::new(Exit::Permission, error.to_string())
            .why("registries also hide what does not exist behind a refusal")
            .next(format!("log in where docker or podman keep credentials: docker login {}", host_in(what))),
        RegistryError::Unavailable { retry_after, .. } => {
            let when =
                retry_after.map_or_else(|| "later".to_owned(), |wait| format!("in {} s", wait.as_secs()));
            CliError::new(Exit::TryAgain, error.to_string()).next(format!("run the command again {when}"))
        }
        RegistryError::Untrusted { .. } => CliError::new(Exit::Integrity, error.to_string())
            .why("the bytes do not match what they should be; nothing that follows from them is printed"),
    }
}

fn host_in(what: &str) -> String {
    what.split('/').next().unwrap_or(what).to_owned()
}

fn are_same(resolved: &[Resolved]) -> bool {
    resolved.windows(2).all(|pair| pair.first().map(digest_of) == pair.last().map(digest_of))
}

fn digest_of(resolved: &Resolved) -> Digest {
    resolved.image.digest
}

fn differences(resolved: &[Resolved]) -> String {
    let each = resolved.iter().map(|one| format!("{} is {}", one.reference, one.image.digest.short()));
    each.collect::<Vec<_>>().join(", ")
}

fn render(resolved: &[Resolved], format: Format) -> String {
    match format {
        Format::Table => tables(resolved),
        Format::Json => {
            let document = json!({
                "apiVersion": API_VERSION,
                "images": resolved.iter().map(document).collect::<Vec<_>>(),
            });
            format!("{document:#}\n")
        }
    }
}

fn document(resolved: &Resolved) -> Value {
    let Resolved { reference, image, signed } = resolved;
    let mut document = json!({
        "reference": reference.to_string(),
        "repository": reference.repository,
        "tag": reference.tag,
        "digest": image.digest,
        "mediaType": image.media_type,
        "platforms": image.platforms,
        "created": image.created,
        "labels": image.labels,
    });
    if let (Some(Signed { key, scheme }), Value::Object(members)) = (signed, &mut document) {
        members.insert("signed".to_owned(), json!({ "key": key, "scheme": scheme }));
    }
    document
}

/// One table for each reference: a pin to copy first, the rest below it.
fn tables(resolved: &[Resolved]) -> String {
    let mut text = String::new();
    for Resolved { reference, image, signed } in resolved {
        let pin = Reference { digest: Some(image.digest), ..reference.clone() };
        let platforms: Vec<String> = image.platforms.iter().map(ToString::to_string).collect();
        let created = image.created.map_or_else(|| "not said".to_owned(), |created| created.to_string());
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.add_row(["digest", &image.digest.to_string()]);
        table.add_row(["platforms", &platforms.join(" ")]);
        table.add_row(["created", &created]);
        table.add_row(["type", &image.media_type]);
        if let Some(Signed { key, scheme }) = signed {
            table.add_row(["signed", &format!("by key {key}, kept as {scheme}")]);
        }
        for (key, value) in &image.labels {
            let name = key.rsplit('.').next().unwrap_or(key);
            table.add_row([name, &one_line(value)]);
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{pin}\n{}", table.trim_fmt());
    }
    text
}

/// Labels are other people's text: without control characters and marks of direction they can neither move the
/// cursor nor show another order than they have.
fn one_line(text: &str) -> String {
    let is_mark =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || is_mark(c) { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
