//! The public keys of the file, and who has to have signed an image.
//!
//! The keys stand in the file itself: what may sign is a rule like the others, reviewed with them, read from the base
//! branch at the same commit, and compared when the rules change. A public key is no secret.

use std::collections::BTreeMap;

use super::node::{Names, Node, Report, shown, shown_reason};
use crate::pipeline::{KeyName, SignedBy, SigningKey, nearest};
use crate::signature::{Keyless, PublicKey};

/// Most keys of a file: some teams, each with a key in use and one that is rotated in or out.
const KEYS_MAX: usize = 64;
/// Most who may sign one image: each key costs a verification for each signature found, each identity a run of cosign.
const SIGNERS_MAX: usize = 8;
/// Most edits between a mistyped name and the one meant.
const TYPO_EDITS_MAX: usize = 2;
/// A signer who is no key of the file.
const SIGNER_NAMES: Names = Names { known: &["keyless"], later: &[] };
/// An identity; patterns of cosign's are refused by name, for they are seldom as narrow as they look.
const KEYLESS_NAMES: Names = Names {
    known: &["identity", "issuer"],
    later: &["identity_regexp", "issuer_regexp", "identity_pattern", "subject"],
};

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

/// Who has to have signed an image, one of them: the name of a key, `{ keyless: … }`, or a list of such.
pub(super) fn signed_by(node: &Node<'_>, keys: &Keys, report: &mut Report) -> SignedBy {
    let mut signers = SignedBy::default();
    let nodes = if node.get("keyless").is_some() {
        vec![node.clone()]
    } else {
        let Some(nodes) = node.items_or_one(SIGNERS_MAX, report) else { return signers };
        nodes
    };
    if nodes.is_empty() {
        report.add(
            node,
            "wanted at least one key, found an empty list: an image without `signed_by` needs none",
        );
    }
    for node in nodes {
        if node.is_map() {
            signers.keyless.extend(keyless(&node, &signers.keyless, report));
        } else {
            signers.keys.extend(key(&node, keys, &signers.keys, report));
        }
    }
    signers
}

fn key(node: &Node<'_>, keys: &Keys, known: &[SigningKey], report: &mut Report) -> Option<SigningKey> {
    let text = node.text("the name of a key", report)?;
    let Some((name, key)) = keys.iter().find(|(name, _)| name.as_str() == text) else {
        report.add(node, unknown(text, keys));
        return None;
    };
    if known.iter().any(|known| known.name == *name) {
        report.add(node, format!("key `{name}` is listed twice"));
        return None;
    }
    Some(SigningKey { name: name.clone(), key: key.clone() })
}

fn keyless(node: &Node<'_>, known: &[Keyless], report: &mut Report) -> Option<Keyless> {
    if !node.is_map_of(&SIGNER_NAMES, report) {
        return None;
    }
    let node = node.required("keyless", report)?;
    if !node.is_map_of(&KEYLESS_NAMES, report) {
        return None;
    }
    let (identity, issuer) = (node.required("identity", report), node.required("issuer", report));
    let identity = identity?.text("the identity in the certificate", report)?;
    let issuer = issuer?.text("the address of who vouches for the identity", report)?;
    match Keyless::new(identity, issuer) {
        Ok(keyless) if known.contains(&keyless) => {
            report.add(&node, format!("identity `{identity}` is listed twice"));
            None
        }
        Ok(keyless) => Some(keyless),
        Err(error) => {
            report.add(&node, error.to_string());
            None
        }
    }
}

fn unknown(text: &str, keys: &Keys) -> String {
    let hint = nearest(text, keys.keys().map(KeyName::as_str), TYPO_EDITS_MAX);
    let hint = hint.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    format!("wanted the name of a key under `keys`, found `{}`{hint}", shown(text))
}
