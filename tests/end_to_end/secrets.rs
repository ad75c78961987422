//! No secret is shown: not in a log at its most talkative, not on a page, not in git, not in a file of ours.

use std::path::Path;

use base64::Engine as _;

use super::docker_registry::{PASSWORD, USER};
use super::visitor::Visitor;
use super::world::{ADDRESS_SECRET, GIT_TOKEN, HOOK_SECRET, TOLD_ADDRESS_SECRET, TOLD_SECRET, World};

/// A push at a registry that shows no secret but the one in the address.
const HUB_PUSH: &str = r#"{"push_data":{"tag":"1"},"repository":{"repo_name":"shop/other"}}"#;

/// A text that people or programs can read, and where it was found.
struct Shown {
    place: String,
    text: String,
}

impl World {
    /// Reads everything that the server wrote, and looks for every secret that was used.
    pub(crate) async fn check_secrets(&mut self) {
        // Somebody with a wrong token, and a hook with a wrong secret: refusals are words as well.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let hook = format!("http://{}/webhooks/registry", self.place.address);
        let refused =
            client.post(hook).bearer_auth(format!("{HOOK_SECRET}x")).body("{}").send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        let refusal = refused.text().await.unwrap();
        let mut shown = vec![Shown { place: "a refusal".to_owned(), text: refusal }];
        for (end, want) in [("", 202), ("x", 401), ("%ff", 400)] {
            let hook = format!("http://{}/webhooks/hub/{ADDRESS_SECRET}{end}", self.place.address);
            let answer = client.post(hook).body(HUB_PUSH).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), want, "{end}");
            shown.push(Shown { place: "an answer".to_owned(), text: answer.text().await.unwrap() });
        }
        self.comment("kim", &self.issue(), "/status").await;
        self.read_pages(&mut shown).await;
        for words in [&["status"][..], &["history", "shop"], &["plan", "shop"], &["doctor"]] {
            let ended = self.place.run_as("token-of-kim", words);
            shown.push(Shown { place: format!("{words:?}"), text: ended.out + &ended.err });
        }
        let log = self.git(&["log", "--all", "-p", "--format=fuller"]);
        shown.push(Shown { place: "git".to_owned(), text: log });
        read_files(&self.folder.path().join("forge"), &mut shown);
        for name in ["store.db", "store.db-wal"] {
            let bytes = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
            shown.push(Shown { place: name.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() });
        }
        self.sessions.extend(self.visitors.values().flat_map(Visitor::secrets));
        let logs = self.past.iter().cloned().chain(self.server.as_ref().map(super::process::Server::log));
        shown.extend(logs.map(|text| Shown { place: "log".to_owned(), text }));
        self.judge(&mut shown);
    }

    fn judge(&self, shown: &mut Vec<Shown>) {
        let has_line =
            |mark: &str| shown.iter().any(|shown| shown.place == "log" && shown.text.contains(mark));
        assert!(has_line("\"TRACE\"") && has_line("\"DEBUG\""), "the log is not that of a talkative server");
        let secrets = self.secrets();
        assert!(secrets.len() > 10, "{} secrets", secrets.len());
        let found: Vec<String> = leaks(shown, &secrets);
        assert!(found.is_empty(), "shown: {found:#?}");
        // The same eyes see each of them where it is.
        for secret in &secrets {
            let text = format!("{{\"message\":\"asked with {secret}\"}}");
            shown.push(Shown { place: "planted".to_owned(), text });
        }
        assert_eq!(leaks(shown, &secrets).len(), secrets.len());
    }

    /// As they are, and as they go over the wire.
    fn secrets(&self) -> Vec<String> {
        let pair = |user: &str, password: &str| {
            base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
        };
        let mut secrets = vec![
            HOOK_SECRET.to_owned(),
            ADDRESS_SECRET.to_owned(),
            GIT_TOKEN.to_owned(),
            TOLD_SECRET.to_owned(),
            TOLD_ADDRESS_SECRET.to_owned(),
            pair("x-access-token", GIT_TOKEN),
            PASSWORD.to_owned(),
            pair(USER, PASSWORD),
        ];
        secrets.extend(["kim", "sam", "maria"].map(|name| format!("token-of-{name}")));
        secrets.extend(self.sessions.iter().cloned());
        secrets.sort();
        secrets.dedup();
        secrets
    }

    async fn read_pages(&mut self, shown: &mut Vec<Shown>) {
        shown.push(Shown { place: "board".to_owned(), text: self.board().await });
        let visitor = self.visitors.get_mut("kim").unwrap();
        let mut paths = vec!["/pulls".to_owned(), "/issues/1".to_owned()];
        paths.extend((2..40).map(|number| format!("/pulls/{number}")));
        for path in paths {
            let page = visitor.get(&path).await;
            // A form shows its token to the one person whose session it belongs to.
            let text = page.split("name=\"form_token\" value=\"").map(after_value).collect();
            shown.push(Shown { place: path, text });
        }
    }
}

fn after_value(part: &str) -> &str {
    if part.starts_with('<') { part } else { part.split_once('"').map_or(part, |(_, rest)| rest) }
}

fn leaks(shown: &[Shown], secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for Shown { place, text } in shown {
        for secret in secrets.iter().filter(|secret| text.contains(secret.as_str())) {
            let at = text.find(secret.as_str()).unwrap_or(0);
            let from = text.floor_char_boundary(at.saturating_sub(120));
            let to = text.floor_char_boundary((at + 60).min(text.len()));
            found.push(format!("{place}: …{}…", &text[from..to]));
        }
    }
    found
}

fn read_files(folder: &Path, shown: &mut Vec<Shown>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_files(&path, shown);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            shown.push(Shown { place: path.display().to_string(), text });
        }
    }
}
