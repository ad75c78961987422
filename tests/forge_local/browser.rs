//! A browser of few words: it keeps one cookie and follows nothing by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use lockkeeper::forge::local::pages::{PageOptions, ProxyHeader, SignIn, router};

use crate::support::World;

pub(crate) struct Server {
    pub(crate) world: World,
    pub(crate) address: SocketAddr,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

#[derive(Clone)]
pub(crate) struct Browser {
    client: reqwest::Client,
    base: String,
    pub(crate) cookie: Option<String>,
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Server {
    pub(crate) async fn new(sign_in: SignIn) -> Self {
        Self::with_proxy(sign_in, None).await
    }

    pub(crate) async fn with_proxy(sign_in: SignIn, proxy_header: Option<ProxyHeader>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let world = World::with_base_url(&format!("http://{address}/forge/env")).await;
        let hosts = ["127.0.0.1".to_owned(), "lockkeeper.example".to_owned()].into();
        let options = PageOptions { title: "acme/env".to_owned(), hosts, sign_in, proxy_header };
        let pages = router(Arc::clone(&world.forge), options);
        let app = axum::Router::new().nest("/forge/env", pages);
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { world, address }
    }

    pub(crate) fn browser(&self) -> Browser {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Browser {
            client,
            base: format!("http://{}/forge/env", self.address),
            cookie: None,
            extra: Vec::new(),
        }
    }

    /// A browser that is signed in with this token.
    pub(crate) async fn signed_in(&self, token: &str) -> Browser {
        let mut browser = self.browser();
        let page = browser.get("/sign-in").await;
        let answer = browser.post("/sign-in", &[("form_token", &page.form_token()), ("token", token)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.base));
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let pairs = form.iter().map(|(key, value)| format!("{key}={}", percent(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(request).await
    }

    pub(crate) async fn post_json(&mut self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let request = self.client.post(format!("{}{path}", self.base)).body(body.to_owned());
        let request = match token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        self.send(request).await
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Answer {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in &self.extra {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(cookie) = headers.get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        Answer { status, headers, text: response.text().await.unwrap() }
    }
}

impl Answer {
    pub(crate) fn form_token(&self) -> String {
        let mark = "name=\"form_token\" value=\"";
        let at = self.text.find(mark).unwrap_or_else(|| panic!("no form in {}", self.text));
        self.text[at + mark.len()..].split('"').next().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn has(&self, status: u16, text: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert!(self.text.contains(text), "no {text:?} in {}", self.text);
    }
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}
