//! Locks of Azure's registries: a manifest that may not be deleted. It is set with the anchor of a digest and taken off with
//! it, and never on a tag, which could not move then.
//!
//! Only `deleteEnabled` is written. A manifest that may not be written either is somebody else's lock, which is not taken off.
//!
//! Source: azure-rest-api-specs, `Azure.ContainerRegistry/stable/2021-07-01`, `UpdateManifestAttributes` and
//! `GetManifestAttributes`.

use bytes::Bytes;
use http::Method;
use http::header::HeaderValue;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use super::answer::untrusted;
use super::session::{Ask, Purpose, Session, Wrote};
use super::settings::has_host;
use super::{Name, OciRegistry};
use crate::image::Digest;
use crate::registry::{RegistryError, TagError};

/// Whether a manifest may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    On,
    Off,
}

/// How it ended.
pub(super) enum Locked {
    /// It is as wanted, or this is no host where locks are set.
    Done,
    /// It stays as it was; why.
    Kept(String),
}

#[derive(Deserialize)]
struct Answer {
    manifest: Manifest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    digest: String,
    changeable_attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    delete_enabled: bool,
    write_enabled: bool,
}

const VERSION: &str = "2021-07-01";
const JSON: &str = "application/json";
/// Attributes and tags of one manifest: an image with a thousand tags has some 100 KiB of them.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Sets the lock of a digest that has its anchor, where the settings name its host.
pub(super) async fn set(registry: &OciRegistry, name: &Name, digest: Digest) -> Result<(), TagError> {
    let what = what(name, digest);
    match turn(registry, name, digest, Lock::On).await? {
        Locked::Done => Ok(()),
        Locked::Kept(reason) => {
            let fix = "give the retag identity of this host `metadata/read` and `metadata/write` there (Azure: AcrPush, or a \
                       token's scope map), or take the host out of `lock_hosts`";
            Err(TagError::Refused { what, reason, fix })
        }
    }
}

/// Has the lock be this, and reads it back.
pub(super) async fn turn(
    registry: &OciRegistry,
    name: &Name,
    digest: Digest,
    wanted: Lock,
) -> Result<Locked, RegistryError> {
    if !has_host(&registry.settings.lock_hosts, name) {
        return Ok(Locked::Done);
    }
    let Some(session) = registry.writing(name, Purpose::Lock).await? else {
        return Ok(Locked::Kept("nobody may write there".to_owned()));
    };
    let what = what(name, digest);
    let turned = async {
        let url = session.url(&format!("/acr/v1/{}/_manifests/{digest}?api-version={VERSION}", name.path))?;
        let found = read(&session, name, digest, &url, &what).await?;
        if found.lock() == wanted {
            return Ok(Locked::Done);
        }
        if wanted == Lock::Off && !found.write_enabled {
            return Ok(Locked::Kept("somebody else locked it (`writeEnabled` is false)".to_owned()));
        }
        let body = json!({ "deleteEnabled": wanted == Lock::Off }).to_string();
        let body = (HeaderValue::from_static(JSON), Bytes::from(body));
        if let Wrote::Refused { reason, .. } =
            session.write(&name.path, (Method::PATCH, url.clone()), Some(body), &what).await?
        {
            return Err(RegistryError::Denied { what: what.clone(), reason });
        }
        let found = read(&session, name, digest, &url, &what).await?;
        let is_as_wanted = found.lock() == wanted;
        if is_as_wanted {
            Ok(Locked::Done)
        } else {
            Err(untrusted(&what, "it took the change and did not make it"))
        }
    };
    match turned.await {
        // A lock that stays because a token has just expired must not be forgotten: it is tried again.
        Err(RegistryError::Denied { reason, what }) => {
            registry.retag_credentials.forget(&name.host);
            if wanted == Lock::On {
                Ok(Locked::Kept(reason))
            } else {
                Err(RegistryError::Denied { what, reason })
            }
        }
        turned => turned,
    }
}

async fn read(
    session: &Session,
    name: &Name,
    digest: Digest,
    url: &Url,
    what: &str,
) -> Result<Attributes, RegistryError> {
    let ask = Ask { url, accept: JSON, bytes_max: ANSWER_BYTES_MAX };
    let answer = session.get(&name.path, &ask, what).await?;
    let read = serde_json::from_slice::<Answer>(&answer.body);
    let manifest = read.map_err(|_| untrusted(what, "it is none of Azure's answers"))?.manifest;
    if manifest.digest != digest.to_string() {
        return Err(untrusted(what, "it is of another digest"));
    }
    Ok(manifest.changeable_attributes)
}

impl Attributes {
    fn lock(&self) -> Lock {
        if self.delete_enabled { Lock::Off } else { Lock::On }
    }
}

fn what(name: &Name, digest: Digest) -> String {
    format!("the lock of {}@{digest}", name.canonical)
}
