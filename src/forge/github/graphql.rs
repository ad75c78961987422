//! Asking GraphQL: its errors come with status 200.

use http::Method;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::GitHubForge;
use super::answer::{self, bounded, unavailable};
use super::client::GRAPHQL;
use crate::forge::{ForgeError, Priority};

#[derive(Deserialize)]
struct Reply<T> {
    data: Option<T>,
    errors: Option<Vec<Problem>>,
}

/// An error. Its type is missing where the document is wrong, which its `extensions` then tell, and where something broke.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
    extensions: Option<IgnoredAny>,
}

impl GitHubForge {
    /// Carries out a mutation of one field. Never repeated by itself: what became of it is not known.
    pub(super) async fn mutate<T: DeserializeOwned>(
        &self,
        priority: Priority,
        mutation: &str,
        input: &Value,
        what: &str,
    ) -> Result<T, ForgeError> {
        let body = json!({ "query": mutation, "variables": { "input": input } });
        let answer = self.client.write(priority, Method::POST, GRAPHQL, &body).await?;
        let reply: Reply<Value> = answer.read(what)?;
        if let Some(problem) = reply.errors.into_iter().flatten().next() {
            return Err(problem.meaning(what));
        }
        let data = reply.data.ok_or_else(|| unavailable(format!("answer for {what} holds nothing")))?;
        serde_json::from_value(data)
            .map_err(|error| unavailable(format!("answer for {what} cannot be read: {error}")))
    }
}

impl Problem {
    /// Source: GitHub's documentation, "Using pagination and errors in the GraphQL API", and answers of its mutations;
    /// a type that is not known here is a refusal, which a person reads.
    fn meaning(self, what: &str) -> ForgeError {
        let message = self.message.unwrap_or_default();
        let reason = match &self.kind {
            Some(kind) => bounded(&format!("{kind}: {message}")),
            None => bounded(&message),
        };
        match self.kind.as_deref() {
            Some("STALE_DATA") => ForgeError::Moved { what: what.to_owned(), reason },
            Some("RATE_LIMITED") => {
                ForgeError::Unavailable { reason, retry_after: Some(answer::REST_DEFAULT) }
            }
            Some("SERVICE_UNAVAILABLE" | "INTERNAL") => unavailable(reason),
            None if self.extensions.is_none() => unavailable(reason),
            Some(_) | None => ForgeError::Refused { what: what.to_owned(), reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_named_bounded_and_understood() {
        let long = "x".repeat(1_000);
        for (error, want) in [
            (json!({"type": "STALE_DATA", "message": "moved"}), "it moved: STALE_DATA: moved"),
            (json!({"type": "NOT_FOUND", "message": "gone"}), "forge refuses it: NOT_FOUND: gone"),
            (json!({"type": "FORBIDDEN"}), "forge refuses it: FORBIDDEN: "),
            (json!({"type": "NEW_ONE", "message": "a\nb"}), "forge refuses it: NEW_ONE: a b"),
            (
                json!({"type": "RATE_LIMITED", "message": "later"}),
                "forge does not answer: RATE_LIMITED: later",
            ),
            (json!({"message": "Something went wrong"}), "forge does not answer: Something went wrong"),
            (
                json!({"message": "no field", "extensions": {"code": "undefinedField"}}),
                "forge refuses it: no field",
            ),
            (json!({ "message": long }), &format!("forge does not answer: {}", "x".repeat(300))),
        ] {
            let problem: Problem = serde_json::from_value(error).unwrap();
            assert_eq!(problem.meaning("it").to_string(), want);
        }
    }
}
