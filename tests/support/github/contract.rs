//! What GitHub says about its API, as a judge: of requests, of responses and of webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::schema::{self, SLICE};

/// Where the description is silent or wrong, and why we believe so. Nothing else is excused.
pub const EXCEPTIONS: [Exception; 2] = [
    Exception {
        operations: "",
        statuses: &[304, 401, 403, 404, 429, 500, 502, 503],
        reason: "documented once for the whole API (conditional requests, authentication, limits), rarely repeated",
    },
    Exception {
        operations: "/check-runs",
        statuses: &[422],
        reason: "a commit that is not there is answered so; the description has the answer for other writes only",
    },
];

/// Statuses that are allowed although the description of these operations has them not.
#[derive(Debug)]
pub struct Exception {
    /// What the name of the operation contains.
    pub operations: &'static str,
    /// The statuses.
    pub statuses: &'static [u16],
    /// Why.
    pub reason: &'static str,
}

/// An operation that a request was matched to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    /// Method and template: `GET /repos/{owner}/{repo}`.
    pub id: String,
    /// What stood in the place of each brace, decoded.
    pub parameters: BTreeMap<String, String>,
    /// Where it is described.
    place: String,
}

/// What the description has of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Documented {
    /// Nothing: it must not be answered.
    Not,
    /// The status without content.
    Empty,
    /// The status and, at this place, the schema of its body.
    Body(String),
}

/// The description.
#[derive(Debug, Clone, Copy, Default)]
pub struct Contract;

static TEMPLATES: LazyLock<Vec<String>> =
    LazyLock::new(|| SLICE["paths"].as_object().unwrap().keys().cloned().collect());

impl Contract {
    /// All operations of the slice, as `METHOD template`.
    pub fn operations() -> BTreeSet<String> {
        let of = |(path, methods): (&String, &'static Value)| {
            let path = path.clone();
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        };
        SLICE["paths"].as_object().unwrap().iter().flat_map(of).collect()
    }

    /// The operation of a request; nothing of it is checked but method and path.
    ///
    /// # Errors
    /// If the slice has none.
    pub fn find(method: &str, path: &str) -> Result<Operation, String> {
        let method = method.to_lowercase();
        let of = |template: &String| {
            let parameters = matched(template, path)?;
            let place = format!("/paths/{}/{method}", schema::step(template));
            SLICE.pointer(&place)?;
            let literal = template.split('/').filter(|part| !part.starts_with('{')).count();
            Some((
                literal,
                Operation { id: format!("{} {template}", method.to_uppercase()), parameters, place },
            ))
        };
        // `issues/comments` is the comments, not the issue of that name: the more literal template wins.
        let best = TEMPLATES.iter().filter_map(of).max_by_key(|(literal, _)| *literal);
        best.map(|(_, operation)| operation)
            .ok_or_else(|| format!("{} {path} is no operation of the slice", method.to_uppercase()))
    }

    /// Checks a request: path and query parameters and body.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn request(method: &str, path: &str, query: &str, body: Option<&Value>) -> Result<Operation, String> {
        let operation = Self::find(method, path)?;
        operation.parameters_are_right(query)?;
        operation.body_is_right(body)?;
        Ok(operation)
    }

    /// Checks the payload of an event.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn webhook(event: &str, payload: &Value) -> Result<(), String> {
        let place = Self::webhook_place(event, payload["action"].as_str())?;
        let told = |reason| format!("webhook {event} {}: {reason}", payload["action"]);
        schema::check(&place, payload).map_err(told)
    }

    /// Where the payload of an event is described.
    ///
    /// # Errors
    /// If the slice has no such event or action.
    pub fn webhook_place(event: &str, action: Option<&str>) -> Result<String, String> {
        let name = action.map_or(event.to_owned(), |action| format!("{event}-{action}")).replace('_', "-");
        if SLICE["x-webhooks"][&name]["event"] != event {
            return Err(format!("webhook `{name}` is not in the slice"));
        }
        Ok(format!("/x-webhooks/{name}/requestBody/content/application~1json/schema"))
    }
}

impl Operation {
    /// Checks an answer to it. `body` is `Null` where there is none.
    ///
    /// # Errors
    /// If the status is not documented for it, or the body is not what is documented.
    pub fn response(&self, status: u16, body: &Value) -> Result<(), String> {
        let told = |reason| format!("{} answered {status}: {reason}", self.id);
        match self.documented(status) {
            Documented::Body(place) => schema::check(&place, body).map_err(told),
            // Some errors are documented without content; GitHub sends a `message` with each.
            Documented::Empty if status >= 400 => error_is_right(body).map_err(told),
            Documented::Empty if body.is_null() => Ok(()),
            Documented::Empty => Err(told("a body, where none is documented".to_owned())),
            Documented::Not => Err(told("that status is not documented".to_owned())),
        }
    }

    /// What is documented of an answer with this status.
    pub fn documented(&self, status: u16) -> Documented {
        let place = format!("{}/responses/{status}", self.place);
        if SLICE.pointer(&place).is_some() {
            let (_, place) = schema::at(&place);
            let place = format!("{place}/content/application~1json/schema");
            return if SLICE.pointer(&place).is_some() { Documented::Body(place) } else { Documented::Empty };
        }
        let excused = |case: &Exception| self.id.contains(case.operations) && case.statuses.contains(&status);
        if EXCEPTIONS.iter().any(excused) { Documented::Empty } else { Documented::Not }
    }

    fn parameters_are_right(&self, query: &str) -> Result<(), String> {
        let declared = self.declared();
        let told = |name: &str, reason: String| format!("{}: parameter `{name}`: {reason}", self.id);
        let mut given: Vec<(&str, String, String)> =
            self.parameters.iter().map(|(name, text)| ("path", name.clone(), text.clone())).collect();
        given.extend(pairs(query).into_iter().map(|(name, text)| ("query", name, text)));
        for (kind, name, text) in &given {
            let Some((place, _)) = declared.get(&(*kind, name.as_str())) else {
                return Err(told(name, format!("not declared in the {kind}")));
            };
            let (shape, place) = schema::at(&format!("{place}/schema"));
            schema::check(&place, &typed(shape, text)).map_err(|reason| told(name, reason))?;
        }
        for ((kind, name), (_, parameter)) in &declared {
            let is_given = given.iter().any(|(found, text, _)| found == kind && text == name);
            if parameter["required"] == true && !is_given {
                return Err(told(name, "it is required".to_owned()));
            }
        }
        Ok(())
    }

    fn declared(&self) -> BTreeMap<(&'static str, &'static str), (String, &'static Value)> {
        let place = format!("{}/parameters", self.place);
        let count = SLICE.pointer(&place).and_then(Value::as_array).map_or(0, Vec::len);
        (0..count)
            .map(|index| {
                let (parameter, place) = schema::at(&format!("{place}/{index}"));
                let key = (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
                (key, (place, parameter))
            })
            .collect()
    }

    fn body_is_right(&self, body: Option<&Value>) -> Result<(), String> {
        let told = |reason| format!("{}: body: {reason}", self.id);
        let place = format!("{}/requestBody/content/application~1json/schema", self.place);
        let required = SLICE.pointer(&format!("{}/requestBody/required", self.place));
        let body = body.filter(|body| !body.is_null());
        match (SLICE.pointer(&place), body) {
            (None, Some(body)) if body != &json!({}) => Err(told("there must be none".to_owned())),
            (Some(_), None) if required == Some(&json!(true)) => Err(told("it is required".to_owned())),
            (None, _) | (Some(_), None) => Ok(()),
            (Some(_), Some(body)) => {
                let known = names(&place);
                // GitHub ignores what it does not know: a misspelt optional field would never be noticed.
                let is_unknown = |name: &&String| !known.contains(name.as_str());
                let unknown = body.as_object().and_then(|body| body.keys().find(is_unknown));
                if let Some(name) = unknown {
                    return Err(told(format!("there is no field `{name}`")));
                }
                schema::check(&place, body).map_err(told)
            }
        }
    }
}

/// The fields that a schema names at its top level, in any of its alternatives.
fn names(place: &str) -> BTreeSet<&'static str> {
    let (found, place) = schema::at(place);
    let fields = found["properties"].as_object().map(Map::keys).into_iter().flatten().map(String::as_str);
    let mut known: BTreeSet<_> = fields.collect();
    for word in ["oneOf", "anyOf", "allOf"] {
        let count = found[word].as_array().map_or(0, Vec::len);
        known.extend((0..count).flat_map(|index| names(&format!("{place}/{word}/{index}"))));
    }
    known
}

/// A word of an address as the type that is declared for it.
fn typed(shape: &Value, text: &str) -> Value {
    match shape["type"].as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| json!(text), |truth| json!(truth)),
        Some("array") => text.split(',').map(|part| json!(part)).collect(),
        _ => json!(text),
    }
}

fn error_is_right(body: &Value) -> Result<(), String> {
    if !body["message"].is_string() {
        return Err("an error needs a `message`".to_owned());
    }
    schema::check("/components/schemas/basic-error", body)
}

/// Names of refs have slashes in them, the other names have none.
const WITH_SLASHES: [&str; 3] = ["{ref}", "{branch}", "{basehead}"];

fn matched(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut wanted: Vec<&str> = template.split('/').collect();
    let mut found: Vec<&str> = path.split('/').collect();
    let mut parameters = BTreeMap::new();
    // From the front up to a name with slashes, then from the back.
    while let (Some(part), Some(text)) = (wanted.first(), found.first()) {
        if WITH_SLASHES.contains(part) {
            break;
        }
        take(part, text, &mut parameters)?;
        wanted.remove(0);
        found.remove(0);
    }
    while wanted.len() > 1 && found.len() > 1 {
        take(wanted.pop()?, found.pop()?, &mut parameters)?;
    }
    match (wanted.as_slice(), found.as_slice()) {
        ([], []) => Some(parameters),
        ([part], [_, ..]) if WITH_SLASHES.contains(part) => {
            take(part, &found.join("/"), &mut parameters)?;
            Some(parameters)
        }
        _ => None,
    }
}

fn take(part: &str, text: &str, parameters: &mut BTreeMap<String, String>) -> Option<()> {
    let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
        return (part == text).then_some(());
    };
    let text = decoded(text);
    parameters.insert(name.to_owned(), text.clone());
    (!text.is_empty()).then_some(())
}

/// The pairs of a query, decoded.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, text) = part.split_once('=').unwrap_or((part, ""));
        (decoded(&name.replace('+', " ")), decoded(&text.replace('+', " ")))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped =
            (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|digits| hex::decode(digits).ok());
        let (byte, next) = escaped.map_or((*first, tail), |escaped| (escaped[0], &tail[2..]));
        bytes.push(byte);
        rest = next;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
