//! The public keys of the file, and which of them has to have signed an image.
//!
//! The keys stand in the file itself: what may sign is a rule like the others, reviewed with them, read from the base
//! branch at the same commit, and compared when the rules change. A public key is no secret.

use std::collections::BTreeMap;

use super::node::{Node, Report, shown, shown_reason};
use crate::pipeline::{KeyName, SigningKey, nearest};
use crate::signature::PublicKey;

/// Most keys of a file: some teams, each with a key in use and one that is rotated in or out.
const KEYS_MAX: usize = 64;
/// Most keys that may sign one image; each costs a verification for each signature found.
const SIGNERS_MAX: usize = 8;
/// Most edits between a mistyped name and the one meant.
const TYPO_EDITS_MAX: usize = 2;
/// How keyless signatures are asked for elsewhere: refused by name, for a rule that is not held to is worse than none.
const KEYLESS: [&str; 7] = [
    "keyless",
    "identity",
    "issuer",
    "certificate_identity",
    "certificate_identity_regexp",
    "certificate_oidc_issuer",
    "certificate_oidc_issuer_regexp",
];

/// The keys by their names.
pub(super) type Keys = BTreeMap<KeyName, PublicKey>;

pub(super) fn keys(root: &Node<'_>, report: &mut Report) -> Keys {
    let mut keys = Keys::new();
    let Some(node) = root.get("keys") else { return keys };
    for (name, value) in node.entries(KEYS_MAX, report).unwrap_or_default() {
        let name = match name.parse::<KeyName>() {
            Ok(name) => name,
            Err(error) => {
                report.add(&value, shown_reason(&error.to_string()));
                continue;
            }
        };
        let Some(key) = value.parsed("a public key in PEM", str::parse::<PublicKey>, report) else {
            continue;
        };
        if let Some((same, _)) = keys.iter().find(|(_, known)| **known == key) {
            report.add(&value, format!("it is the same key as `{same}`"));
            continue;
        }
        keys.insert(name, key);
    }
    keys
}

/// The keys of which one has to have signed an image: a name, or a list of names.
pub(super) fn signed_by(node: &Node<'_>, keys: &Keys, report: &mut Report) -> Vec<SigningKey> {
    if let Some(keyless) = KEYLESS.iter().find_map(|name| node.get(name)) {
        report.add(
            &keyless,
            "keyless signatures are not supported by this version; wanted the name of a key under `keys`",
        );
        return Vec::new();
    }
    let mut signers: Vec<SigningKey> = Vec::new();
    let Some(names) = node.items_or_one(SIGNERS_MAX, report) else { return signers };
    if names.is_empty() {
        report.add(
            node,
            "wanted at least one key, found an empty list: an image without `signed_by` needs none",
        );
    }
    for node in names {
        let Some(text) = node.text("the name of a key", report) else { continue };
        let Some((name, key)) = keys.iter().find(|(name, _)| name.as_str() == text) else {
            report.add(&node, unknown(text, keys));
            continue;
        };
        if signers.iter().any(|known| known.name == *name) {
            report.add(&node, format!("key `{name}` is listed twice"));
            continue;
        }
        signers.push(SigningKey { name: name.clone(), key: key.clone() });
    }
    signers
}

fn unknown(text: &str, keys: &Keys) -> String {
    let hint = nearest(text, keys.keys().map(KeyName::as_str), TYPO_EDITS_MAX);
    let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    format!("wanted the name of a key under `keys`, found `{}`{hint}", shown(text))
}
