//! Images that were pushed to GitHub's registry.

use http::header;

use super::form;
use super::payload::{Package, Payload};
use crate::server::webhooks::{Id, ParseError, Parsed, RegistryEvent, Sent, pushed, repository_path, shown};

/// What makes a tag lead elsewhere.
pub(super) const ACTIONS: [&str; 2] = ["published", "updated"];

/// The push that a body of a webhook for packages tells of, where its repository is no environment of ours.
pub(in crate::server::webhooks) fn parse(sent: &Sent<'_>) -> Result<Parsed, ParseError> {
    let is_form = sent.header(header::CONTENT_TYPE.as_str()).is_some_and(form::is_form);
    let payload =
        if is_form { Payload::parse(&form::payload(sent.body))? } else { Payload::parse(sent.body)? };
    // The id of the delivery stands in a header, which is not signed; the body holds times.
    Ok(Parsed { id: Id::Bytes, events: image(&payload, None)?.into_iter().collect() })
}

/// The image, at `registry` where the payload does not say where it is pulled from.
pub(super) fn image(payload: &Payload, registry: Option<&str>) -> Result<Option<RegistryEvent>, ParseError> {
    let package = payload.package.as_ref().or(payload.registry_package.as_ref());
    let is_image = |package: &&Package| package.is_container() && payload.is(&ACTIONS);
    let Some(package) = package.filter(is_image) else { return Ok(None) };
    let (registry, path) = match package.place() {
        Some((host, path)) => (Some(host), path.to_owned()),
        None => (registry, owned(package)?),
    };
    if repository_path(&path).is_none() {
        return Err(ParseError::Field { field: "package.name", found: shown(&path) });
    }
    Ok(pushed(registry, &path, package.tag().map(str::to_owned), package.digest()))
}

/// The path by owner and name.
fn owned(package: &Package) -> Result<String, ParseError> {
    let (Some(owner), Some(name)) = (package.owner(), package.name.as_deref()) else {
        return Err(super::absent("package.name"));
    };
    Ok(format!("{owner}/{name}"))
}
