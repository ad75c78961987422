//! Makes a body whole: what GitHub's description requires and the model does not know is put in, as empty as it can
//! be. So every answer has every field that a client may count on, by construction.

use std::cmp::Reverse;

use serde_json::{Map, Value, json};

use super::schema;

/// The value with all required fields of the schema at this place; those that are there stay. `host`: where
/// addresses lead to.
pub fn whole(place: &str, value: Value, host: &str) -> Value {
    let (shape, place) = schema::at(place);
    let alternative =
        ["oneOf", "anyOf"].iter().find_map(|word| fitting(shape, &format!("{place}/{word}"), word, &value));
    let mut value = match alternative {
        Some(alternative) => whole(&alternative, value, host),
        None => value,
    };
    // The later parts make the earlier ones narrower: they come first.
    for index in (0..shape["allOf"].as_array().map_or(0, Vec::len)).rev() {
        value = whole(&format!("{place}/allOf/{index}"), value, host);
    }
    match value {
        Value::Object(fields) => Value::Object(fields_of(shape, &place, fields, host)),
        Value::Array(parts) if shape["items"].is_object() => {
            parts.into_iter().map(|part| whole(&format!("{place}/items"), part, host)).collect()
        }
        other => other,
    }
}

fn fields_of(
    shape: &'static Value,
    place: &str,
    mut fields: Map<String, Value>,
    host: &str,
) -> Map<String, Value> {
    let Some(known) = shape["properties"].as_object() else { return fields };
    for name in shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) && known.contains_key(name) {
            fields.insert(
                name.to_owned(),
                empty(&format!("{place}/properties/{}", schema::step(name)), name, host),
            );
        }
    }
    let filled = |(name, value): (String, Value)| {
        if !known.contains_key(&name) {
            return (name, value);
        }
        let value = whole(&format!("{place}/properties/{}", schema::step(&name)), value, host);
        (name, value)
    };
    fields.into_iter().map(filled).collect()
}

/// The alternative of the kind that the value has, which knows most of its fields; the first of several.
fn fitting(shape: &Value, place: &str, word: &str, value: &Value) -> Option<String> {
    let known = |index: usize| {
        let (alternative, _) = schema::at(&format!("{place}/{index}"));
        let fits = match alternative["type"].as_str() {
            Some("object") | None => value.is_object() && !alternative["items"].is_object(),
            Some("array") => value.is_array(),
            Some(_) => false,
        };
        let fields = value.as_object().into_iter().flat_map(Map::keys);
        fits.then(|| fields.filter(|name| alternative["properties"].get(name.as_str()).is_some()).count())
    };
    let all = 0..shape[word].as_array()?.len();
    let best = all.filter_map(|index| Some((known(index)?, Reverse(index)))).max();
    best.map(|(_, Reverse(index))| format!("{place}/{index}"))
}

/// The emptiest value of a field.
fn empty(place: &str, name: &str, host: &str) -> Value {
    let (shape, place) = schema::at(place);
    if shape["nullable"] == true {
        return Value::Null;
    }
    if let Some(first) = shape["enum"].get(0) {
        return first.clone();
    }
    match shape["type"].as_str() {
        Some("string") => text(shape, name, host),
        Some("integer" | "number") => shape.get("minimum").cloned().unwrap_or(json!(0)),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        Some("null") => Value::Null,
        Some(_) | None => match ["oneOf", "anyOf"].iter().find(|word| shape[**word].is_array()) {
            Some(word) => empty(&format!("{place}/{word}/0"), name, host),
            None => whole(&place, json!({}), host),
        },
    }
}

fn text(shape: &Value, name: &str, host: &str) -> Value {
    match shape["format"].as_str() {
        Some("date-time") => json!("2026-01-01T00:00:00Z"),
        Some("uri" | "uri-template") => json!(format!("{host}/{name}")),
        _ if name.ends_with("url") || name == "href" => json!(format!("{host}/{name}")),
        _ if name == "node_id" => json!("N_kwDO"),
        _ => {
            json!("0".repeat(shape["minLength"].as_u64().map_or(0, |least| usize::try_from(least).unwrap())))
        }
    }
}
