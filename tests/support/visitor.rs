//! A person at the pages of the forge, with a browser's cookie and forms.

use reqwest::{Client, RequestBuilder};

/// A person who is signed in.
#[derive(Debug)]
pub struct Visitor {
    client: Client,
    base: String,
    cookie: Option<String>,
    form_tokens: std::collections::BTreeSet<String>,
}

impl Visitor {
    /// Signs in at the forge at this address with this token.
    ///
    /// # Panics
    /// If the forge does not let the person in.
    pub async fn sign_in(base: &str, token: &str) -> Self {
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut visitor = Self {
            client,
            base: base.to_owned(),
            cookie: None,
            form_tokens: std::collections::BTreeSet::new(),
        };
        let page = visitor.get("/sign-in").await;
        let form_token = field(&page, "form_token");
        let status = visitor.post("/sign-in", &[("form_token", &form_token), ("token", token)]).await;
        assert_eq!(status, 303, "sign-in");
        visitor
    }

    /// The page.
    pub async fn get(&mut self, path: &str) -> String {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await.1
    }

    /// Comments on a pull request or issue (`pulls/7`, `issues/1`).
    ///
    /// # Panics
    /// If the forge does not take it.
    pub async fn comment(&mut self, thread: &str, text: &str) {
        let page = self.get(&format!("/{thread}")).await;
        let form_token = field(&page, "form_token");
        let path = format!("/{thread}/comment");
        let status = self.post(&path, &[("form_token", &form_token), ("text", text)]).await;
        assert_eq!(status, 303, "comment on {thread}");
    }

    /// Approves the head that the page shows.
    ///
    /// # Panics
    /// If the forge does not take it.
    pub async fn approve(&mut self, number: u64) {
        let page = self.get(&format!("/pulls/{number}")).await;
        let (form_token, head) = (field(&page, "form_token"), field(&page, "head"));
        let form = [("form_token", form_token.as_str()), ("head", &head), ("verdict", "approved")];
        let status = self.post(&format!("/pulls/{number}/review"), &form).await;
        assert_eq!(status, 303, "approval of {number}");
    }

    /// What nobody else may learn: the session, and the tokens of its forms.
    pub fn secrets(&self) -> Vec<String> {
        let session = self.cookie.as_ref().and_then(|cookie| cookie.split_once('='));
        session.map(|(_, value)| value.to_owned()).into_iter().chain(self.form_tokens.clone()).collect()
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> u16 {
        let pairs = form.iter().map(|(key, value)| format!("{key}={}", percent(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.client.post(format!("{}{path}", self.base)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request).await.0
    }

    async fn send(&mut self, mut request: RequestBuilder) -> (u16, String) {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let response = request.send().await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let (status, page) = (response.status().as_u16(), response.text().await.unwrap());
        if page.contains("name=\"form_token\"") {
            self.form_tokens.insert(field(&page, "form_token"));
        }
        (status, page)
    }
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let at = page.find(&mark).unwrap_or_else(|| panic!("no field {name} in {page}"));
    page[at + mark.len()..].split('"').next().unwrap().to_owned()
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}
