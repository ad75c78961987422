//! Answers, the refusals among them with GitHub's own words.

use serde_json::{Value, json};

/// A status and a body; `Null` is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    /// How many pages a list has, and which this is, for the `Link` header.
    pub pages: Option<(u32, u32)>,
    pub headers: Vec<(&'static str, String)>,
}

/// An act done, or the answer that refuses it.
pub type Done<T> = Result<T, Answer>;

const DOCUMENTATION: &str = "https://docs.github.com/rest";

impl Answer {
    pub fn new(status: u16, body: Value) -> Self {
        Self { status, body, pages: None, headers: Vec::new() }
    }

    pub fn ok(body: Value) -> Self {
        Self::new(200, body)
    }

    pub fn created(body: Value) -> Self {
        Self::new(201, body)
    }

    pub fn refused(status: u16, message: &str) -> Self {
        Self::new(
            status,
            json!({"message": message, "documentation_url": DOCUMENTATION, "status": status.to_string()}),
        )
    }

    pub fn not_found() -> Self {
        Self::refused(404, "Not Found")
    }

    /// 422 with one error.
    pub fn invalid(resource: &str, field: Option<&str>, code: &str, message: &str) -> Self {
        let mut error = json!({"resource": resource, "code": code});
        if let Some(field) = field {
            error["field"] = json!(field);
        }
        if !message.is_empty() {
            error["message"] = json!(message);
        }
        let mut answer = Self::refused(422, "Validation Failed");
        answer.body["errors"] = json!([error]);
        answer
    }
}
