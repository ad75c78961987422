//! Registries over HTTP, as the OCI distribution specification 1.1 has them.
//!
//! oci-client normalises names and reads errors. The requests are our own: the package reads bodies of any length, hides
//! every header (`Link`, `Retry-After`), asks once more before each blob and sends a password to whatever token server
//! the registry names. `HEAD` names no digest: its header is only a claim, and it serves to ask whether something is still
//! there. That a tag still names what was hashed here before is asked by `If-None-Match`, which costs no body where the
//! registry knows it.

mod answer;
mod cache;
mod challenge;
mod counted;
mod document;
mod facts;
mod keyless;
mod lock;
mod name;
mod presence;
mod rest;
mod retag;
mod session;
mod settings;
mod sign_in;
mod signatures;
mod tagged;
mod tags;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use http::header::ETAG;

use self::answer::{Answer, claimed_digest, no_credential, untrusted};
use self::cache::Cache;
use self::document::{ACCEPT_MANIFESTS, Document, ImageConfig};
use self::keyless::Cosign;
use self::name::Name;
use self::presence::Part;
use self::rest::Rest;
use self::session::{Ask, Purpose, Session};
use self::tagged::Listed;
use super::credentials::{Credential, Credentials};
use super::{FirstNamed, Image, Registry, RegistryError, SignatureError, TagError, Taken, Untagged};
use crate::image::{Digest, Platform, Repository, Tag};
use crate::signature::{Signers, Verified};
use crate::witness::{self, Witness};

pub use self::settings::OciSettings;
pub use self::tags::TAGS_MAX;

/// All registries that are spoken to, each with its credentials.
pub struct OciRegistry {
    settings: Arc<OciSettings>,
    credentials: Credentials,
    /// Who writes. Nobody else does, and they read nothing.
    retag_credentials: Credentials,
    sessions: Mutex<BTreeMap<(String, Purpose), Arc<Session>>>,
    /// When each host wants to be left alone, whoever asks.
    rests: Mutex<BTreeMap<String, Arc<Rest>>>,
    /// What tags named last: most often the next question is what that image holds.
    documents: Cache<Digest, Document>,
    images: Cache<Digest, Image>,
    /// What tags that do not move named when they were asked for first.
    named: Cache<Tag, FirstNamed>,
    /// What tags named last, hashed here, and the `ETag` by which the registry says that it is still that.
    resolved: Cache<Tag, (Digest, HeaderValue)>,
    /// What has to be there for a digest to run.
    parts: Cache<Digest, Arc<Vec<Part>>>,
    /// Good signatures.
    verified: Cache<Digest, Verified>,
    cosign: Cosign,
    /// Tags that named a digest when they were asked for it.
    tagged: Cache<Digest, Vec<Tag>>,
    /// Which tags there are, of the repositories listed last.
    listed: Cache<(), Listed>,
    witness: Arc<dyn Witness>,
}

/// A manifest or index, the digest of its bytes, and the `ETag` that came with it.
struct Got {
    digest: Digest,
    document: Document,
    tagged: Option<HeaderValue>,
}

/// Largest manifest or index: 4 MiB, which registries have to support (OCI distribution specification 1.1, section
/// "Pushing Manifests") and hardly any goes beyond.
const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest image configuration: its history and labels are kilobytes; the same bound as for manifests.
const CONFIG_BYTES_MAX: usize = MANIFEST_BYTES_MAX;
/// Most manifests kept: 64 workers with four new images each. Those of 64 platforms take 6 KiB; with annotations at their
/// bounds (64 × 2 KiB) all would make 32 MiB.
const DOCUMENTS_MAX: usize = 256;
/// Most images kept: 1,000 pipelines × 4 stages. With 14 labels of 100 bytes and two platforms of ten layers that is about
/// 14 MiB; labels and layers at their bounds would make it hundreds, which nobody's images come near.
const IMAGES_MAX: usize = 4096;
/// Most tags kept with what they named: 256 repositories of 64 tags, at about 200 bytes 3 MiB.
const NAMED_MAX: usize = 256 * 64;
/// Most tags whose last answer is asked for conditionally: 1,000 pipelines × 4 images, at about 300 bytes 1.2 MiB.
const RESOLVED_MAX: usize = 4096;
/// Most repositories whose tags are remembered by their hashes: at most 12 MiB, and 400 bytes for one of a hundred tags.
const LISTED_MAX: usize = 64;
/// Longest `ETag` that is kept; those of registries are digests in quotes.
const ETAG_BYTES_MAX: usize = 256;
/// Most hosts with an open session; past that all are dropped, which costs a sign-in each.
const SESSIONS_MAX: usize = 256;

impl OciRegistry {
    /// Registries reached by these settings, read with these credentials; nobody may write.
    #[must_use]
    pub fn new(settings: OciSettings, credentials: Credentials) -> Self {
        Self {
            settings: Arc::new(settings),
            credentials,
            retag_credentials: Credentials::anonymous(),
            sessions: Mutex::default(),
            rests: Mutex::default(),
            documents: Cache::new(DOCUMENTS_MAX),
            images: Cache::new(IMAGES_MAX),
            named: Cache::new(NAMED_MAX),
            resolved: Cache::new(RESOLVED_MAX),
            parts: Cache::new(IMAGES_MAX),
            verified: Cache::new(IMAGES_MAX),
            cosign: Cosign::default(),
            tagged: Cache::new(IMAGES_MAX),
            listed: Cache::new(LISTED_MAX),
            witness: witness::nobody(),
        }
    }

    /// The same, telling of every request.
    #[must_use]
    pub fn witnessed(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = witness;
        self
    }

    /// The same, where these credentials write: at the hosts that they have one for, and nowhere else.
    #[must_use]
    pub fn retagging(mut self, credentials: Credentials) -> Self {
        self.retag_credentials = credentials;
        self
    }

    /// The session in which the repository is read.
    async fn session(&self, name: &Name) -> Result<Arc<Session>, RegistryError> {
        let found = self.credentials.of(&name.host).await;
        let credential = found.map_err(|error| no_credential(&error, &name.canonical))?;
        self.session_of(name, credential, Purpose::Read)
    }

    /// The session in which something is written; none where nobody may.
    async fn writing(&self, name: &Name, purpose: Purpose) -> Result<Option<Arc<Session>>, RegistryError> {
        let found = self.retag_credentials.of(&name.host).await;
        match found.map_err(|error| no_credential(&error, &name.canonical))? {
            Credential::Anonymous => Ok(None),
            credential @ Credential::Basic { .. } => self.session_of(name, credential, purpose).map(Some),
        }
    }

    /// The session with the host of this repository: the one at hand while the credentials stay the same.
    fn session_of(
        &self,
        name: &Name,
        credential: Credential,
        purpose: Purpose,
    ) -> Result<Arc<Session>, RegistryError> {
        let key = (name.host.clone(), purpose);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(&key).filter(|session| session.credential == credential) {
            return Ok(Arc::clone(session));
        }
        if sessions.len() >= SESSIONS_MAX {
            sessions.clear();
        }
        let (rest, settings) = (self.rest(&name.host), Arc::clone(&self.settings));
        let session =
            Session::new(&name.host, credential, purpose, rest, settings, Arc::clone(&self.witness))?;
        let session = Arc::new(session);
        sessions.insert(key, Arc::clone(&session));
        Ok(session)
    }

    /// The rest of a host, which outlives its sessions: credentials that change are no leave to ask again.
    fn rest(&self, host: &str) -> Arc<Rest> {
        let mut rests = self.rests.lock().unwrap_or_else(PoisonError::into_inner);
        if rests.len() >= SESSIONS_MAX {
            rests.retain(|_, rest| rest.left().is_some());
        }
        Arc::clone(rests.entry(host.to_owned()).or_default())
    }

    /// What the tag was found to name before, where the registry says by `HEAD` that it still does. Only for Docker Hub,
    /// which counts each `GET` of a manifest as a pull, and no `HEAD`.
    async fn still_named(
        &self,
        name: &Name,
        tag: &Tag,
        known: Option<Digest>,
        what: &str,
    ) -> Result<Option<Digest>, RegistryError> {
        let Some(known) = known.filter(|_| name.canonical.starts_with("docker.io/")) else { return Ok(None) };
        let session = self.session(name).await?;
        let url = session.url(&format!("/v2/{}/manifests/{tag}", name.path))?;
        let ask = Ask { url: &url, accept: ACCEPT_MANIFESTS, bytes_max: 0 };
        let head = session.head(&name.path, &ask, what).await;
        let head = head.inspect_err(|error| self.forget_refused(name, error))?;
        Ok(head.as_ref().and_then(claimed_digest).filter(|claimed| *claimed == known))
    }

    /// The manifest or index that `reference` (a tag or a digest) names; none where it is still what had this `ETag`.
    async fn document_unless(
        &self,
        name: &Name,
        reference: &str,
        tagged: Option<&HeaderValue>,
        what: &str,
    ) -> Result<Option<Got>, RegistryError> {
        let Some((digest, answer)) = self.manifest_unless(name, reference, tagged, what).await? else {
            return Ok(None);
        };
        let document = Document::parse(&answer.body).map_err(|reason| untrusted(what, reason))?;
        Ok(Some(Got { digest, document, tagged: answer.headers.get(ETAG).cloned() }))
    }

    /// The bytes of the manifest or index that `reference` names, and their digest.
    async fn manifest(
        &self,
        name: &Name,
        reference: &str,
        what: &str,
    ) -> Result<(Digest, Bytes), RegistryError> {
        let got = self.manifest_unless(name, reference, None, what).await?;
        let (digest, answer) = got.ok_or_else(|| untrusted(what, "it says that nothing changed, unasked"))?;
        Ok((digest, answer.body))
    }

    /// The same with its headers; nothing where the registry says that it is still what was tagged so.
    async fn manifest_unless(
        &self,
        name: &Name,
        reference: &str,
        tagged: Option<&HeaderValue>,
        what: &str,
    ) -> Result<Option<(Digest, Answer)>, RegistryError> {
        let session = self.session(name).await?;
        let url = session.url(&format!("/v2/{}/manifests/{reference}", name.path))?;
        let ask = Ask { url: &url, accept: ACCEPT_MANIFESTS, bytes_max: MANIFEST_BYTES_MAX };
        let got = session.get_unless(&name.path, &ask, tagged, what).await;
        let Some(answer) = got.inspect_err(|error| self.forget_refused(name, error))? else {
            return Ok(None);
        };
        let digest = Digest::of(&answer.body);
        if let Some(claimed) = claimed_digest(&answer.headers).filter(|claimed| *claimed != digest) {
            return Err(untrusted(what, format!("its bytes hash to {digest}, it claims {claimed}")));
        }
        Ok(Some((digest, answer)))
    }

    /// The manifest or index of this digest.
    async fn document_of(&self, name: &Name, digest: Digest, what: &str) -> Result<Document, RegistryError> {
        let got = self.document_unless(name, &digest.to_string(), None, what).await?;
        let got = got.ok_or_else(|| untrusted(what, "it says that nothing changed, unasked"))?;
        if got.digest != digest {
            return Err(untrusted(what, format!("its bytes hash to {}", got.digest)));
        }
        Ok(got.document)
    }

    async fn config(&self, name: &Name, digest: Digest, what: &str) -> Result<ImageConfig, RegistryError> {
        let session = self.session(name).await?;
        let bytes = session.blob(&name.path, digest, CONFIG_BYTES_MAX, what).await;
        let bytes = bytes.inspect_err(|error| self.forget_refused(name, error))?;
        ImageConfig::parse(&bytes).map_err(|reason| untrusted(what, reason))
    }

    /// A refused credential is looked up afresh next time: a helper may have a new one.
    fn forget_refused(&self, name: &Name, error: &RegistryError) {
        if matches!(error, RegistryError::Denied { .. }) {
            self.credentials.forget(&name.host);
        }
    }
}

#[async_trait]
impl Registry for OciRegistry {
    async fn resolve(&self, repository: &Repository, tag: &Tag) -> Result<Digest, RegistryError> {
        let name = Name::of(repository);
        let what = format!("{}:{tag}", name.canonical);
        let known = self.resolved.get(&name.canonical, tag.clone());
        let still = self.still_named(&name, tag, known.as_ref().map(|(digest, _)| *digest), &what).await?;
        if let Some(digest) = still {
            return Ok(digest);
        }
        let tagged = known.as_ref().map(|(_, tagged)| tagged);
        let got = self.document_unless(&name, tag.as_str(), tagged, &what).await?;
        let (digest, got) = match (got, known) {
            (Some(got), _) => (got.digest, got),
            (None, Some((digest, _))) => return Ok(digest),
            (None, None) => return Err(untrusted(&what, "it says that nothing changed, unasked")),
        };
        if let Some(tagged) = got.tagged.filter(|tagged| tagged.len() <= ETAG_BYTES_MAX) {
            self.resolved.put(&name.canonical, tag.clone(), (digest, tagged));
        }
        if self.images.get(&name.canonical, digest).is_none() {
            self.documents.put(&name.canonical, digest, got.document);
        }
        Ok(digest)
    }

    async fn tags(&self, repository: &Repository) -> Result<Vec<Tag>, RegistryError> {
        let name = Name::of(repository);
        let session = self.session(&name).await?;
        let listed = tags::list(&session, &name.path, &name.canonical).await;
        let listed = listed.inspect_err(|error| self.forget_refused(&name, error))?;
        self.listed.put(&name.canonical, (), Listed::of(&listed));
        Ok(listed)
    }

    async fn first_named(&self, repository: &Repository, tag: &Tag) -> Result<FirstNamed, RegistryError> {
        self.first_read(repository, tag).await
    }

    async fn image(&self, repository: &Repository, digest: Digest) -> Result<Image, RegistryError> {
        self.image_once(&Name::of(repository), digest).await
    }

    /// Not answered from memory: whether it is still there is the question.
    async fn probe(&self, repository: &Repository, digest: Digest) -> Result<Vec<Platform>, RegistryError> {
        presence::probe(self, &Name::of(repository), digest).await
    }

    async fn tags_on(
        &self,
        repository: &Repository,
        digest: Digest,
        expected: &[Tag],
    ) -> Result<Vec<Tag>, RegistryError> {
        self.tags_once(&Name::of(repository), digest, expected).await
    }

    async fn signature(
        &self,
        repository: &Repository,
        digest: Digest,
        signers: &Signers,
    ) -> Result<Verified, SignatureError> {
        let name = Name::of(repository);
        let known = self.verified.get(&name.canonical, digest);
        if let Some(verified) = known.filter(|verified| signers.have(verified)) {
            return Ok(verified);
        }
        let verified = signatures::verify(self, &name, digest, signers).await?;
        self.verified.put(&name.canonical, digest, verified.clone());
        Ok(verified)
    }

    async fn may_tag(&self, repository: &Repository) -> Result<bool, RegistryError> {
        Ok(self.writing(&Name::of(repository), Purpose::Tag).await?.is_some())
    }

    async fn tag(
        &self,
        repository: &Repository,
        digest: Digest,
        tag: &Tag,
        taken: Taken,
    ) -> Result<Option<Digest>, TagError> {
        retag::tag(self, &Name::of(repository), digest, tag, taken).await
    }

    async fn untag(&self, repository: &Repository, digest: Digest) -> Result<Untagged, RegistryError> {
        retag::untag(self, &Name::of(repository), digest).await
    }
}

impl fmt::Debug for OciRegistry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("OciRegistry").field("settings", &self.settings).finish_non_exhaustive()
    }
}
