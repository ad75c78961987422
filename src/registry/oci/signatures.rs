//! The signatures that a registry keeps of a digest, in both of cosign's forms.
//!
//! 1. Layers of the manifest at the tag `sha256-<hex>.sig`, each a payload with its signature beside it.
//! 2. Bundles in manifests that refer to the digest: listed by the referrers endpoint where the registry has one, and
//!    under the fallback tag `sha256-<hex>` where it has none.
//!
//! What is found is anybody's until a key proves it. One good signature is enough, whatever stands around it; without
//! one, everything that could not be read is the answer. So no error is taken for a signature, nor for its absence.
//!
//! Source: cosign's specifications of signatures and bundles; OCI distribution specification 1.1, sections "Listing
//! Referrers" and "Referrers Tag Schema".

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::untrusted;
use super::document::ACCEPT_MANIFESTS;
use super::session::Ask;
use super::tags::next_page;
use super::{MANIFEST_BYTES_MAX, Name, OciRegistry, keyless};
use crate::image::Digest;
use crate::registry::{RegistryError, SignatureError};
use crate::signature::{Claim, ClaimError, PublicKey, Signed, Signers, Verified};

/// Most signatures of one digest and form that are looked at, the newest first: each key and each signing again adds
/// one, and each costs up to two requests.
const CLAIMS_MAX: usize = 32;
/// Largest payload or bundle: some hundred bytes, and some 10 KiB with certificates and proofs of a log.
const CLAIM_BYTES_MAX: usize = 256 * 1024;
/// Most pages of referrers that are read.
const PAGES_MAX: usize = 8;

const PAYLOAD_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What some registries list as the type of what has none.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// A list of manifests: that of the referrers endpoint and that of the fallback tag.
#[derive(Deserialize)]
struct Listing {
    manifests: Vec<Referrer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Referrer {
    digest: String,
    artifact_type: Option<String>,
}

/// A manifest that carries signatures.
#[derive(Deserialize)]
struct Carrier {
    layers: Vec<Layer>,
    subject: Option<Subject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Subject {
    digest: String,
}

/// A search for one good signature, and what stood in its way so far.
struct Search<'a> {
    registry: &'a OciRegistry,
    name: &'a Name,
    digest: Digest,
    keys: &'a [PublicKey],
    count: usize,
    refused: Option<ClaimError>,
    problem: Option<RegistryError>,
}

/// A signature of the digest by one of the signers: first by keys, which costs some requests, and only then by identities,
/// which costs runs of a program. Where one of both is not known, that is the answer.
pub(super) async fn verify(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    signers: &Signers,
) -> Result<Verified, SignatureError> {
    let by_key = match signers.keys.as_slice() {
        [] => Err(SignatureError::Missing),
        keys => find(registry, name, digest, keys).await,
    };
    let by_key = match by_key {
        Ok(signed) => return Ok(Verified::Key(signed)),
        Err(error) if signers.keyless.is_empty() => return Err(error),
        Err(error) => error,
    };
    match keyless::find(registry, name, digest, &signers.keyless).await {
        Ok(keyless) => Ok(Verified::Keyless(keyless)),
        Err(_) if !by_key.is_answer() => Err(by_key),
        Err(SignatureError::NotKeyless { reason }) if !signers.keys.is_empty() => {
            Err(SignatureError::NotKeyless { reason: format!("{reason}; by key: {by_key}") })
        }
        Err(error) => Err(error),
    }
}

/// A signature of the digest by one of the keys.
async fn find(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    keys: &[PublicKey],
) -> Result<Signed, SignatureError> {
    let mut search = Search { registry, name, digest, keys, count: 0, refused: None, problem: None };
    if let Some(signed) = search.in_tag().await {
        return Ok(signed);
    }
    let listed = search.listed().await;
    if let Some(signed) = search.in_bundles(listed).await {
        return Ok(signed);
    }
    // Also where the endpoint listed some: registries that got it later need not know what came before.
    let listed = search.in_fallback_tag().await;
    if let Some(signed) = search.in_bundles(listed).await {
        return Ok(signed);
    }
    Err(search.nothing())
}

impl Search<'_> {
    /// Looks into the tag of simple signing.
    async fn in_tag(&mut self) -> Option<Signed> {
        let tag = format!("sha256-{}.sig", self.digest.hex());
        let read = self.read::<Carrier>(&tag).await;
        let carrier = self.found(read)?;
        let payloads: Vec<Layer> =
            carrier.layers.into_iter().filter(|layer| layer.media_type == PAYLOAD_TYPE).collect();
        self.note_more(payloads.len());
        for mut layer in payloads.into_iter().rev().take(CLAIMS_MAX) {
            let Some(signature) = layer.annotations.remove(SIGNATURE_ANNOTATION) else {
                self.refuse(ClaimError::Malformed("its layer has no signature beside it"));
                continue;
            };
            let Some(payload) = self.blob(&layer.digest).await else { continue };
            if let Some(signed) = self.check(&Claim::Simple { payload, signature }) {
                return Some(signed);
            }
        }
        None
    }

    /// What the referrers endpoint lists, page by page until one cannot be read: what was listed before may hold a good
    /// one, and without one the answer is that page, not that there is none.
    async fn listed(&mut self) -> Vec<Referrer> {
        let mut listed = Vec::new();
        let read = self.pages(&mut listed).await;
        self.noted(read);
        listed
    }

    async fn pages(&self, listed: &mut Vec<Referrer>) -> Result<(), RegistryError> {
        let what = self.what("the referrers");
        let session = self.registry.session(self.name).await?;
        // Not asked for by type: registries list some bundles under another one.
        let mut url = session.url(&format!("/v2/{}/referrers/{}", self.name.path, self.digest))?;
        for number in 0..PAGES_MAX {
            let ask = Ask { url: &url, accept: ACCEPT_MANIFESTS, bytes_max: MANIFEST_BYTES_MAX };
            let answer = match session.get(&self.name.path, &ask, &what).await {
                // The registry has no such endpoint, which some say without the form of the specification: the fallback
                // tag, which is asked next, is where it keeps them.
                Err(RegistryError::NotFound { .. } | RegistryError::Untrusted { .. }) if number == 0 => {
                    return Ok(());
                }
                answer => answer?,
            };
            let page: Listing = parsed(&answer.body, &what)?;
            listed.extend(page.manifests.into_iter().filter(Referrer::may_sign));
            match next_page(&answer.headers, &url).map_err(|reason| untrusted(&what, reason))? {
                Some(next) => url = next,
                None => return Ok(()),
            }
        }
        Err(untrusted(&what, format!("the list has more than {PAGES_MAX} pages")))
    }

    async fn in_fallback_tag(&mut self) -> Vec<Referrer> {
        let tag = format!("sha256-{}", self.digest.hex());
        let read = self.read::<Listing>(&tag).await;
        let listing = self.found(read).map(|listing| listing.manifests).unwrap_or_default();
        listing.into_iter().filter(Referrer::may_sign).collect()
    }

    /// Looks into the manifests that refer to the digest.
    async fn in_bundles(&mut self, listed: Vec<Referrer>) -> Option<Signed> {
        self.note_more(listed.len());
        for referrer in listed.into_iter().rev().take(CLAIMS_MAX) {
            let Some(digest) = self.read_digest(&referrer.digest) else { continue };
            let read = self.read::<Carrier>(&digest.to_string()).await;
            let Some(carrier) = self.noted(read) else { continue };
            let wanted = self.digest.to_string();
            if carrier.subject.is_none_or(|subject| subject.digest != wanted) {
                continue;
            }
            // A manifest of a bundle holds that alone.
            let Some(layer) = carrier.layers.first().filter(|layer| layer.media_type == BUNDLE_TYPE) else {
                continue;
            };
            let Some(bundle) = self.blob(&layer.digest).await else { continue };
            if let Some(signed) = self.check(&Claim::Bundle(bundle)) {
                return Some(signed);
            }
        }
        None
    }

    fn check(&mut self, claim: &Claim) -> Option<Signed> {
        match claim.check(self.digest, self.keys) {
            Ok(signed) => Some(signed),
            Err(error) => {
                self.refuse(error);
                None
            }
        }
    }

    fn refuse(&mut self, error: ClaimError) {
        self.count += 1;
        self.refused.get_or_insert(error);
    }

    fn note_more(&mut self, count: usize) {
        if count > CLAIMS_MAX {
            let reason =
                format!("there are {count} signatures, of which only the last {CLAIMS_MAX} are read");
            self.problem = Some(untrusted(&self.what("the signatures"), reason));
        }
    }

    /// The manifest or index at this tag or digest.
    async fn read<T: DeserializeOwned>(&self, reference: &str) -> Result<T, RegistryError> {
        let separator = if reference.contains(':') { '@' } else { ':' };
        let what = format!("{}{separator}{reference}", self.name.canonical);
        let (found, body) = self.registry.manifest(self.name, reference, &what).await?;
        if separator == '@' && found.to_string() != reference {
            return Err(untrusted(&what, format!("its bytes hash to {found}")));
        }
        parsed(&body, &what)
    }

    async fn blob(&mut self, digest: &str) -> Option<Vec<u8>> {
        let digest = self.read_digest(digest)?;
        let what = self.what(&format!("the blob {digest}"));
        let read = async {
            let session = self.registry.session(self.name).await?;
            session.blob(&self.name.path, digest, CLAIM_BYTES_MAX, &what).await
        };
        let read = read.await;
        self.noted(read).map(|bytes| bytes.to_vec())
    }

    fn read_digest(&mut self, text: &str) -> Option<Digest> {
        let what = self.what("a signature");
        let read =
            text.parse().map_err(|error: crate::image::DigestError| untrusted(&what, error.to_string()));
        self.noted(read)
    }

    /// What was read, and that it could not be read otherwise; that it is not there is an answer.
    fn found<T>(&mut self, read: Result<T, RegistryError>) -> Option<T> {
        match read {
            Err(RegistryError::NotFound { .. }) => None,
            read => self.noted(read),
        }
    }

    /// What was read, and that it could not be read otherwise.
    fn noted<T>(&mut self, read: Result<T, RegistryError>) -> Option<T> {
        read.map_err(|error| self.problem = Some(error)).ok()
    }

    fn what(&self, part: &str) -> String {
        format!("{part} of {}@{}", self.name.canonical, self.digest)
    }

    /// What it means that none was found.
    fn nothing(self) -> SignatureError {
        match (self.problem, self.refused) {
            (Some(problem), _) => problem.into(),
            (None, Some(reason)) => SignatureError::NoneCounts { count: self.count, reason },
            (None, None) => SignatureError::Missing,
        }
    }
}

impl Referrer {
    /// Whether it may be a bundle, by the type that the list gives it.
    fn may_sign(&self) -> bool {
        self.artifact_type.as_deref().is_none_or(|kind| matches!(kind, "" | EMPTY_TYPE | BUNDLE_TYPE))
    }
}

fn parsed<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, RegistryError> {
    // The parser's own words may repeat what strangers wrote.
    serde_json::from_slice(bytes).map_err(|error| {
        untrusted(what, format!("it cannot be read beyond line {}, column {}", error.line(), error.column()))
    })
}
