//! `lockkeeper resolve`: what a tag is now, as the registry's own bytes say.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::{CliError, Context, Exit, Format, Outcome};
use crate::image::{Digest, LABEL_PREFIX, Likeness, Platform, Reference, Tag, expected_tags};
use crate::plan::messages::{amount, one_line};
use crate::registry::{Image, Registry, RegistryError, SignatureError};
use crate::signature::{PublicKey, PublicKeyError, Signed, Signers, Verified};

/// Show what a tag is now: digest, platforms, sizes, labels, as the registry's own bytes say.
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
    /// Ends with 1 unless all references have one digest, and says what those that differ have in common.
    #[arg(long)]
    same: bool,
    /// Ask as well for tags that may be on the same digest, at most six: no registry tells all of them.
    #[arg(long)]
    tags: bool,
    /// A file with a public key of cosign's; ends with 1 unless one of the keys signed every digest.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// How long one request to a registry may take, in seconds; else as the settings say, 30 without any.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: Option<u64>,
}

/// One reference and what it names.
#[derive(Debug)]
struct Resolved {
    reference: Reference,
    image: Image,
    /// The signature; none where no key was given.
    signed: Option<Signed>,
    /// Tags found on it besides; none where they were not asked for.
    tags: Option<Vec<Tag>>,
}

/// What is asked besides what the digests hold.
#[derive(Default)]
struct Asked {
    keys: Vec<PublicKey>,
    tags: bool,
}

/// The first version of the JSON document.
const API_VERSION: &str = "lockkeeper/v1";
/// The tag that a reference without one means.
const DEFAULT_TAG: &str = "latest";

/// Runs the command, with the registries as the settings have them, else with the credentials of the environment.
///
/// # Errors
/// [`CliError`] with 4, 5, 7 or 8, by what the registry says.
pub async fn run(context: &Context, args: Args) -> Outcome {
    let registry = context.registry(args.timeout)?;
    let keys = args.key.iter().map(|file| read_key(file)).collect::<Result<Vec<PublicKey>, CliError>>()?;
    let asked = Asked { keys, tags: args.tags };
    let resolved = resolve_all(&registry, &args.references, &asked).await?;
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
    asked: &Asked,
) -> Result<Vec<Resolved>, CliError> {
    let mut resolved = Vec::new();
    for reference in references {
        let image = resolve(registry, reference).await.map_err(|error| failure(&error))?;
        let signed = match asked.keys.as_slice() {
            [] => None,
            keys => Some(signed(registry, reference, image.digest, keys).await?),
        };
        let tags = if asked.tags {
            let expected = expected_tags(&image, reference.tag.as_ref(), None);
            let found = registry.tags_on(&reference.repository, image.digest, &expected).await;
            Some(found.map_err(|error| failure(&error))?)
        } else {
            None
        };
        resolved.push(Resolved { reference: reference.clone(), image, signed, tags });
    }
    Ok(resolved)
}

async fn signed(
    registry: &dyn Registry,
    reference: &Reference,
    digest: Digest,
    keys: &[PublicKey],
) -> Result<Signed, CliError> {
    let not_signed = |why: String| {
        let pin = Reference { digest: Some(digest), ..reference.clone() };
        CliError::new(Exit::Negative, format!("{pin} is not signed by these keys")).why(why)
    };
    match registry.signature(&reference.repository, digest, &Signers::of_keys(keys)).await {
        Ok(Verified::Key(signed)) => Ok(signed),
        Ok(Verified::Keyless(_)) => Err(not_signed("somebody else did, without a key".to_owned())),
        Err(SignatureError::Registry(error)) => Err(failure(&error)),
        Err(error) => Err(not_signed(error.to_string())),
    }
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

/// What each has that differs from the first, and what the two have in common.
fn differences(resolved: &[Resolved]) -> String {
    let Some((first, others)) = resolved.split_first() else { return String::new() };
    let others = others.iter().filter(|one| digest_of(one) != digest_of(first));
    let each = others.map(|one| {
        let likeness = Likeness::of(&first.image, &one.image);
        format!("{} is {}: {likeness}", one.reference, one.image.digest.short())
    });
    let first = format!("{} is {}", first.reference, first.image.digest.short());
    std::iter::once(first).chain(each).collect::<Vec<_>>().join("; ")
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
    let Resolved { reference, image, signed, tags } = resolved;
    let mut document = json!({
        "reference": reference.to_string(),
        "repository": reference.repository,
        "tag": reference.tag,
        "digest": image.digest,
        "mediaType": image.media_type,
        "platforms": image.platforms,
        "created": image.created,
        "labels": image.labels,
        "parts": image.parts,
        "missing": image.missing,
    });
    if let Value::Object(members) = &mut document {
        let signed = signed.map(|Signed { key, scheme }| json!({ "key": key, "scheme": scheme }));
        members.extend(signed.map(|signed| ("signed".to_owned(), signed)));
        members.extend(tags.as_ref().map(|tags| ("tagsFound".to_owned(), json!(tags))));
    }
    document
}

/// One table for each reference: a pin to copy first, the rest below it.
fn tables(resolved: &[Resolved]) -> String {
    let mut text = String::new();
    for one in resolved {
        let pin = Reference { digest: Some(one.image.digest), ..one.reference.clone() };
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        for row in rows(one) {
            table.add_row(row);
        }
        // Writing to a string does not fail.
        let _ = writeln!(text, "{pin}\n{}", table.trim_fmt());
    }
    text
}

/// Names and values. Labels and tags are other people's text: a line each, which neither moves the cursor nor shows another
/// order than it has.
fn rows(resolved: &Resolved) -> Vec<[String; 2]> {
    let Resolved { image, signed, tags, .. } = resolved;
    let row = |name: &str, value: String| [name.to_owned(), value];
    let listed =
        |platforms: &[Platform]| platforms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let created = image.created.map_or_else(|| "not said".to_owned(), |created| created.to_string());
    let mut rows = vec![
        row("digest", image.digest.to_string()),
        row("platforms", listed(&image.platforms)),
        row("created", created),
        row("type", image.media_type.clone()),
    ];
    if !image.missing.is_empty() {
        rows.push(row("missing", format!("{}: not in the registry", listed(&image.missing))));
    }
    let sized = image.parts.iter().filter_map(|part| Some((part, part.content.as_ref()?)));
    rows.extend(sized.map(|(part, content)| {
        let (bytes, count) = (amount(content.bytes()), content.layers.len());
        row("size", format!("{bytes} in {count} layer(s) for {}", part.platform))
    }));
    if let Some(Signed { key, scheme }) = signed {
        rows.push(row("signed", format!("by key {key}, kept as {scheme}")));
    }
    if let Some(tags) = tags {
        let found = tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        rows.push(row("tags found", if found.is_empty() { "none besides".to_owned() } else { found }));
    }
    let named = image.labels.iter().filter_map(|(key, value)| Some((key.strip_prefix(LABEL_PREFIX)?, value)));
    rows.extend(named.map(|(name, value)| row(&one_line(name), one_line(value))));
    rows
}

#[cfg(test)]
mod tests;
