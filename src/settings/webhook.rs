//! What registries and build jobs may call: whose format, by what proof, and for which registry.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use http::{HeaderName, header};
use serde::{Deserialize, Serialize};

use super::check::{check_name, secrets};
use super::keys::KeySet;
use super::layers::Layers;
use super::raw::{RawToken, RawWebhook};
use super::{GitHub, Secret, SettingsError, github};
use crate::image::Repository;

/// Who sends, and so in what format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookKind {
    /// CNCF Distribution, and registries built on it.
    Distribution,
    /// The registry of a GitLab of one's own.
    GitLab,
    /// Harbor, in its own format or as CloudEvents.
    Harbor,
    /// Docker Hub.
    DockerHub,
    /// Packages at GitHub, by a webhook of their own.
    GitHub,
    /// Quay.
    Quay,
    /// Azure Container Registry, by its own webhook.
    Acr,
    /// Azure Container Registry, through Event Grid.
    EventGrid,
    /// Amazon ECR, through EventBridge.
    Ecr,
    /// Google Artifact Registry, through Pub/Sub.
    Gar,
    /// JFrog Artifactory.
    Artifactory,
    /// Sonatype Nexus.
    Nexus,
    /// Zot.
    Zot,
    /// Packages of Gitea and Forgejo.
    Gitea,
    /// JSON of one's own, signed.
    Generic,
}

/// How a sender shows that it may tell us things: what it offers, and nothing weaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// This header, unless the settings name another one, holds the secret.
    Header(HeaderName),
    /// This header, unless the settings name another one, holds a signature of the body.
    Signature(HeaderName, SignatureForm),
    /// The last part of the address is the secret, for the sender has nothing else to show.
    Address,
    /// A bearer token of an identity service, signed by one of its keys.
    Token,
}

/// How a signature is made and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureForm {
    /// HMAC-SHA256 in hex behind `sha256=`.
    NamedSha256,
    /// HMAC-SHA256 in hex.
    Sha256,
    /// HMAC-SHA1 in hex: what Nexus has. Collisions of SHA-1 do not break it as a MAC.
    Sha1,
}

/// What a registry may call.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Who sends.
    pub kind: WebhookKind,
    /// The name in the address.
    pub path: String,
    /// The header that authenticates; none: that of the kind.
    pub header: Option<HeaderName>,
    /// The secrets that count; at least one, unless the kind shows a token.
    pub secrets: Vec<Secret>,
    /// What a token has to say, where the kind shows one.
    pub token: Option<TokenRules>,
    /// The registry as manifests name it, where the sender calls itself otherwise or not at all.
    pub registry: Option<String>,
    /// The registry as the sender names it, in lower case → as manifests name it. These come before `registry`.
    pub aliases: BTreeMap<String, String>,
}

/// Which bearer tokens count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// The file of public keys (a JWK set), read at each use.
    pub keys_file: PathBuf,
    /// Who issues them.
    pub issuer: String,
    /// For whom they are meant.
    pub audience: String,
    /// Whose they are.
    pub email: String,
}

/// Least characters of a secret in an address: 128 bits in hex.
const ADDRESS_SECRET_BYTES_MIN: usize = 32;

impl WebhookKind {
    /// How its senders show that they may tell us things, unless the settings say otherwise: [`Webhook::proof`].
    #[must_use]
    pub fn proof(self) -> Proof {
        let signature = |name, form| Proof::Signature(HeaderName::from_static(name), form);
        match self {
            Self::Distribution | Self::GitLab | Self::Harbor | Self::Acr | Self::Ecr | Self::Zot => {
                Proof::Header(header::AUTHORIZATION)
            }
            Self::DockerHub | Self::Quay | Self::EventGrid => Proof::Address,
            Self::Gar => Proof::Token,
            Self::GitHub => signature("x-hub-signature-256", SignatureForm::NamedSha256),
            Self::Artifactory => signature("x-jfrog-event-auth", SignatureForm::Sha256),
            Self::Nexus => signature("x-nexus-webhook-signature", SignatureForm::Sha1),
            Self::Gitea => signature("x-gitea-signature", SignatureForm::Sha256),
            Self::Generic => signature("x-signature", SignatureForm::NamedSha256),
        }
    }

    /// The proof where the settings name this header. Event Grid can send one of its own, with a secret in it; the others that
    /// show an address can send none.
    fn proof_by(self, header: Option<&HeaderName>) -> Proof {
        match (self, header) {
            (Self::EventGrid, Some(header)) => Proof::Header(header.clone()),
            (kind, _) => kind.proof(),
        }
    }

    /// Whether the settings say from where its images are pulled, wherever it does not say so itself. Amazon's events have
    /// an account and a region.
    fn knows_registry(self, raw: &RawWebhook) -> bool {
        match self {
            Self::Nexus | Self::Zot | Self::Gitea => raw.registry.is_some(),
            Self::Ecr => raw.registry.is_some() || !raw.aliases.is_empty(),
            Self::Distribution
            | Self::GitLab
            | Self::Harbor
            | Self::DockerHub
            | Self::GitHub
            | Self::Quay
            | Self::Acr
            | Self::EventGrid
            | Self::Gar
            | Self::Artifactory
            | Self::Generic => true,
        }
    }
}

impl Webhook {
    /// How its sender shows that it may tell us things.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.kind.proof_by(self.header.as_ref())
    }
}

pub(super) fn check(
    raw: Vec<RawWebhook>,
    github: Option<&GitHub>,
    layers: &Layers,
) -> Result<Vec<Webhook>, SettingsError> {
    let mut names = BTreeSet::new();
    let mut webhooks = Vec::new();
    for (index, webhook) in raw.into_iter().enumerate() {
        let at = format!("webhooks.{index}");
        check_name(layers, &format!("{at}.path"), &webhook.path, &mut names)?;
        if github.is_some() && webhook.path.eq_ignore_ascii_case(github::WEBHOOK_PATH) {
            let reason = "the name belongs to the deliveries of `[github]`; wanted another one";
            return Err(layers.invalid(&format!("{at}.path"), reason));
        }
        webhooks.push(check_webhook(&at, webhook, layers)?);
    }
    Ok(webhooks)
}

fn check_webhook(at: &str, raw: RawWebhook, layers: &Layers) -> Result<Webhook, SettingsError> {
    let key = |name: &str| format!("{at}.{name}");
    let missing = |name: &str, what: &str| {
        let reason = format!("webhook `{}` {what}", raw.path);
        SettingsError::Missing { key: key(name), reason }
    };
    let header = check_header(&key("header"), &raw.header, layers)?;
    let proof = raw.kind.proof_by(header.as_ref());
    let secrets = secrets(&key("secret"), &raw.secret_files, raw.secret.clone(), layers)?;
    match (&proof, &raw.token) {
        (Proof::Token, None) => {
            return Err(missing("token", "needs this table, which says what tokens count"));
        }
        (Proof::Token, Some(_)) if secrets.is_empty() => {}
        (Proof::Token, Some(_)) => {
            return Err(layers.invalid(&key("secret_files"), "its sender shows a token, and no secret"));
        }
        (_, Some(_)) => return Err(layers.invalid(&key("token"), "its sender shows a secret, and no token")),
        (_, None) if secrets.is_empty() => {
            return Err(missing("secret_files", "needs a file with its secret"));
        }
        (Proof::Address, None) => check_address_secrets(&key("secret_files"), &secrets, layers)?,
        (_, None) => {}
    }
    if header.is_some() && matches!(proof, Proof::Address | Proof::Token) {
        return Err(layers.invalid(&key("header"), "its sender does not show a secret in a header"));
    }
    if !raw.kind.knows_registry(&raw) {
        return Err(missing("registry", "needs it: what is sent does not say from where images are pulled"));
    }
    let token = raw.token.map(|token| check_token(&key("token"), token)).transpose()?;
    let places = raw.registry.iter().map(|registry| (key("registry"), registry));
    let aliases = raw.aliases.values().map(|registry| (key("aliases"), registry));
    places.chain(aliases).try_for_each(|(key, registry)| check_registry(&key, registry, layers))?;
    Ok(Webhook {
        kind: raw.kind,
        header,
        path: raw.path,
        secrets,
        token,
        registry: raw.registry,
        aliases: raw.aliases.into_iter().map(|(named, meant)| (named.to_ascii_lowercase(), meant)).collect(),
    })
}

/// Nobody should come by them by trying, and every sender has to be able to write them into an address.
fn check_address_secrets(key: &str, secrets: &[Secret], layers: &Layers) -> Result<(), SettingsError> {
    let is_fit = |secret: &Secret| {
        let bytes = secret.expose().as_bytes();
        bytes.len() >= ADDRESS_SECRET_BYTES_MIN
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
    };
    if secrets.iter().all(is_fit) {
        return Ok(());
    }
    let wanted = format!(
        "the secret becomes part of an address; wanted at least {ADDRESS_SECRET_BYTES_MIN} letters, digits, `-`, `_`, \
         such as `openssl rand -hex 32` prints"
    );
    Err(layers.invalid(key, wanted))
}

/// The keys are read at each use; that they are there and can be read is known from the start.
fn check_token(key: &str, raw: RawToken) -> Result<TokenRules, SettingsError> {
    let RawToken { keys_file, issuer, audience, email } = raw;
    for (name, text) in [("issuer", &issuer), ("audience", &audience), ("email", &email)] {
        if text.is_empty() {
            let reason = "an empty text would count for every token".to_owned();
            return Err(SettingsError::Missing { key: format!("{key}.{name}"), reason });
        }
    }
    KeySet::read(&keys_file)
        .map_err(|reason| SettingsError::Secret { key: format!("{key}.keys_file"), reason })?;
    Ok(TokenRules { keys_file, issuer, audience, email })
}

/// What stands before the path of an image: a host, perhaps a port, perhaps folders.
fn check_registry(key: &str, registry: &str, layers: &Layers) -> Result<(), SettingsError> {
    let image: Option<Repository> = format!("{registry}/image").parse().ok();
    if image.is_some_and(|image| image.host().is_some()) {
        return Ok(());
    }
    let wanted = format!("wanted a host as in `registry.example.com`, found {registry:?}");
    Err(layers.invalid(key, wanted))
}

fn check_header(key: &str, text: &str, layers: &Layers) -> Result<Option<HeaderName>, SettingsError> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| layers.invalid(key, format!("wanted the name of a header, found {text:?}")))
}
