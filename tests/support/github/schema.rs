//! GitHub's description of its API as JSON schemas: the slice, converted once; validators, compiled when first asked
//! for and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, RwLock};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Registry, ValidationError, Validator};
use serde_json::{Value, json};

/// Where what GitHub sends is not what its schemas say, and how we take it.
pub const EXCEPTIONS: [(&str, &str); 2] = [
    (
        "format `email`: any text with an `@`",
        "the address of an app in commits is `1+name[bot]@users.noreply.github.com`; no standard allows the brackets",
    ),
    (
        "format `uri` where the default is the empty text: any text",
        "log_url, target_url and environment_url of a deployment status are empty unless somebody sets them",
    ),
];

const ADDRESS: &str = "urn:github";

/// The slice as GitHub wrote it, by `tests/fixtures/github/slice.py`.
pub static SLICE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../fixtures/github/openapi.json")).unwrap());

static REGISTRY: LazyLock<Registry<'static>> =
    LazyLock::new(|| Registry::new().add(ADDRESS, converted(SLICE.clone())).unwrap().prepare().unwrap());

/// Places that were looked for already: every field of every answer is.
static PLACES: RwLock<BTreeMap<String, (&'static Value, String)>> = RwLock::new(BTreeMap::new());

static VALIDATORS: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());

/// Whether the value is valid against the schema at this place; if not, at most three reasons.
///
/// # Errors
/// The reasons, each with its place in the value.
pub fn check(place: &str, value: &Value) -> Result<(), String> {
    let validator = validator(place);
    let reasons: Vec<String> = validator.iter_errors(value).take(3).map(|error| reason(&error)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
}

fn reason(error: &ValidationError<'_>) -> String {
    let text: String = error.to_string().chars().take(400).collect();
    let place = error.instance_path();
    let (ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context }) =
        error.kind()
    else {
        return format!("at `{place}`: {text}");
    };
    // What is wrong with each alternative says more than that none fits.
    let alternative = |errors: &Vec<ValidationError<'static>>| errors.first().map(reason).unwrap_or_default();
    format!(
        "at `{place}`: no alternative fits: {}",
        context.iter().map(alternative).collect::<Vec<_>>().join(" | ")
    )
}

fn validator(place: &str) -> Arc<Validator> {
    let mut kept = VALIDATORS.lock().unwrap();
    let compile = || {
        let schema = json!({ "$ref": format!("{ADDRESS}#{}", in_address(place)) });
        let options = jsonschema::options().with_registry(&REGISTRY).should_validate_formats(true);
        let options = options.with_format("email", |text: &str| text.contains('@'));
        Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("{place}: {error}")))
    };
    Arc::clone(kept.entry(place.to_owned()).or_insert_with(compile))
}

/// A JSON pointer as it stands in an address, where braces are not allowed.
fn in_address(place: &str) -> String {
    place.replace('%', "%25").replace('{', "%7B").replace('}', "%7D").replace(' ', "%20")
}

/// One step of a JSON pointer.
pub fn step(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What stands at this place, its reference followed, and where that is.
///
/// # Panics
/// If nothing is there: the slice would be broken.
pub fn at(place: &str) -> (&'static Value, String) {
    if let Some(known) = PLACES.read().unwrap().get(place) {
        return known.clone();
    }
    let found = follow(place);
    PLACES.write().unwrap().insert(place.to_owned(), found.clone());
    found
}

fn follow(place: &str) -> (&'static Value, String) {
    let found = SLICE.pointer(place).unwrap_or_else(|| panic!("nothing is at {place}"));
    match found["$ref"].as_str() {
        Some(reference) => at(reference.strip_prefix('#').unwrap()),
        None => (found, place.to_owned()),
    }
}

/// Version 3.0 says `nullable` where JSON schema has a type `null`, and has booleans for exclusive bounds.
///
/// Source: `OpenAPI` 3.0.3, "Schema Object".
fn converted(value: Value) -> Value {
    match value {
        Value::Array(parts) => Value::Array(parts.into_iter().map(converted).collect()),
        Value::Object(map) => {
            let map: serde_json::Map<_, _> =
                map.into_iter().map(|(key, part)| (key, converted(part))).collect();
            nullable(bounds(empty_address(map)))
        }
        other => other,
    }
}

fn empty_address(mut map: serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    if map.get("default") == Some(&json!("")) {
        map.remove("format");
    }
    map
}

fn bounds(mut map: serde_json::Map<String, Value>) -> serde_json::Map<String, Value> {
    for (exclusive, inclusive) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(Value::Bool(is_exclusive)) = map.get(exclusive).cloned() {
            map.remove(exclusive);
            if is_exclusive && let Some(bound) = map.remove(inclusive) {
                map.insert(exclusive.to_owned(), bound);
            }
        }
    }
    map
}

fn nullable(mut map: serde_json::Map<String, Value>) -> Value {
    // A field may be called `nullable` too: only the word of the schema has a boolean.
    if map.get("nullable") != Some(&Value::Bool(true)) {
        return Value::Object(map);
    }
    map.remove("nullable");
    if let Some(kind) = map.get_mut("type") {
        *kind = json!([kind, "null"]);
        if let Some(Value::Array(words)) = map.get_mut("enum") {
            words.push(Value::Null);
        }
        return Value::Object(map);
    }
    json!({ "anyOf": [Value::Object(map), { "type": "null" }] })
}
