//! The operations issue of a pipeline.

use http::Method;
use serde_json::json;

use super::GitHubForge;
use super::answer::named;
use super::wire::Issue;
use crate::forge::{ForgeError, Number, Priority};

/// The label by which our issues are found again; it counts only with our name as author and the key in the body.
const LABEL: &str = "lockkeeper";
/// Open issues of ours: one for each pipeline.
const PAGES_MAX: u32 = 20;

impl GitHubForge {
    pub(super) async fn keep_issue(&self, key: &str, title: &str, body: &str) -> Result<Number, ForgeError> {
        let text = format!("<!-- lockkeeper:issue:{key} -->\n{body}");
        let known = self.known().issues.get(key).cloned();
        let known = match known {
            Some(known) => Some(known),
            None => self.own_issue(key).await?,
        };
        let number = match known {
            Some((number, said_title, said)) if said_title == title && said == text => number,
            Some((number, ..)) => {
                let path = self.path(format!("issues/{number}"));
                let change = json!({ "title": title, "body": text });
                let answer = self.client.write(Priority::Note, Method::PATCH, &path, &change).await?;
                answer.good(&named(&Method::PATCH, &path))?;
                number
            }
            None => {
                let path = self.path("issues");
                let new = json!({ "title": title, "body": text, "labels": [LABEL] });
                let answer = self.client.write(Priority::Note, Method::POST, &path, &new).await?;
                answer.read::<Issue>(&named(&Method::POST, &path))?.number
            }
        };
        self.known().issues.insert(key.to_owned(), (number, title.to_owned(), text));
        Ok(number)
    }

    async fn own_issue(&self, key: &str) -> Result<Option<(Number, String, String)>, ForgeError> {
        let me = self.me().await?.person;
        let creator = super::pulls::query(&me.name);
        let path = self.path(format!("issues?state=open&labels={LABEL}&creator={creator}"));
        let issues: Vec<Issue> = self.client.pages(&path, PAGES_MAX).await?;
        let line = format!("<!-- lockkeeper:issue:{key} -->");
        Ok(issues.into_iter().filter(|issue| issue.pull_request.is_none()).find_map(|issue| {
            let body = issue.body.unwrap_or_default();
            (body.lines().next() == Some(&line)).then_some((issue.number, issue.title, body))
        }))
    }
}
