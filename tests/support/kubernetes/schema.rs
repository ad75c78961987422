//! Kubernetes' published description of what an API server answers, as JSON schemas: the slice, compiled when first asked.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

static SLICE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../fixtures/k8s/openapi.json")).unwrap());

static VALIDATORS: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// Holds a value to the description of its type.
///
/// # Panics
/// If it does not fit, or the slice has no such type.
pub fn hold(name: &str, value: &Value) {
    let validator = {
        let compile = || {
            let schema =
                json!({ "$ref": format!("#/definitions/{name}"), "definitions": SLICE["definitions"] });
            Arc::new(jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        Arc::clone(VALIDATORS.lock().unwrap().entry(name.to_owned()).or_insert_with(compile))
    };
    let wrong: Vec<String> = validator
        .iter_errors(value)
        .take(3)
        .map(|error| format!("at `{}`: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("; "));
}
