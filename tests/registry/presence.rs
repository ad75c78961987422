//! What a probe asks for, and what it makes of the answers.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use lockkeeper::demo::registry::DemoRegistry;
use lockkeeper::registry::{Registry as _, RegistryError};
use tokio::net::TcpListener;

use super::support::docker_registry::{DockerRegistry, Options};
use super::{anonymous, copy_all, repository, spec, tag};

/// Passes everything on to another registry, and may answer for it.
struct Between {
    behind: std::net::SocketAddr,
    asked: Mutex<Vec<String>>,
    /// The last part of the address for which it answers, and the status.
    refused: Mutex<Option<(String, StatusCode)>>,
    knows_head: Mutex<bool>,
}

async fn between(behind: std::net::SocketAddr) -> (std::net::SocketAddr, Arc<Between>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::new(Between {
        behind,
        asked: Mutex::default(),
        refused: Mutex::default(),
        knows_head: Mutex::new(true),
    });
    let router = Router::new().fallback(pass).with_state(Arc::clone(&state));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, state)
}

async fn pass(State(between): State<Arc<Between>>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    between.asked.lock().unwrap().push(format!("{method} {path}"));
    if method == Method::HEAD && !*between.knows_head.lock().unwrap() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let refused = between.refused.lock().unwrap().clone();
    if let Some((part, status)) = refused
        && path.ends_with(&part)
    {
        let body = r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#;
        return (status, body).into_response();
    }
    let url = format!("http://{}{path}", between.behind);
    let mut asked = reqwest::Client::new().request(method, url);
    asked = asked.headers(request.headers().clone());
    let answer = asked.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap()).into_response()
}

#[tokio::test]
async fn a_second_probe_asks_by_head_for_each_part() {
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let digest = demo.push_image("shop/web", &tag("1"), &spec("1")).unwrap();
    let (address, seen) = between(demo.address()).await;
    let (registry, web) = (anonymous(), repository(address, "shop/web"));
    let asked = || std::mem::take(&mut *seen.asked.lock().unwrap());
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
    let first = asked();
    // The index, and the manifest and configuration of two platforms; and once what the host wants.
    assert_eq!(first.iter().filter(|line| line.starts_with("GET /v2/shop")).count(), 5, "{first:?}");
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
    let second = asked();
    println!("a first probe of two platforms: {} requests, a later one: {}", first.len(), second.len());
    assert!(second.len() == 5 && second.iter().all(|line| line.starts_with("HEAD ")), "{second:?}");
    let config = second.last().unwrap().rsplit('/').next().unwrap().to_owned();
    let refuse = |status: Option<StatusCode>| {
        *seen.refused.lock().unwrap() = status.map(|status| (config.clone(), status));
    };
    refuse(Some(StatusCode::NOT_FOUND));
    let RegistryError::NotFound { what } = registry.probe(&web, digest).await.unwrap_err() else { panic!() };
    assert!(what.contains(&config) && what.contains("linux/"), "{what}");
    for status in [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE] {
        refuse(Some(status));
        let error = registry.probe(&web, digest).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unavailable { .. }), "{error}");
    }
    refuse(None);
    // What HEAD does not affirm, GET may.
    *seen.knows_head.lock().unwrap() = false;
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
}

/// Debian's registry: what was deleted is missing at the next probe, and there again when it was pushed again.
#[tokio::test]
async fn a_real_registry_says_what_was_deleted_and_what_is_back() {
    let Some(real) = DockerRegistry::start(&Options::default()) else { return };
    let demo = DemoRegistry::start(Vec::new()).await.unwrap();
    let digest = demo.push_image("shop/web", &tag("1"), &spec("1")).unwrap();
    let (from, to) = (format!("{}/shop/web:1", demo.address()), format!("{}/shop/web:1", real.address()));
    let Some(()) = copy_all(&from, &to).await else { return };
    let (registry, web) = (anonymous(), repository(real.address(), "shop/web"));
    let begun = std::time::Instant::now();
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
    let first = begun.elapsed();
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
    println!("probes of docker-registry took {first:?} and {:?}", begun.elapsed().saturating_sub(first));
    let url = format!("http://{}/v2/shop/web/manifests/{digest}", real.address());
    let deleted = reqwest::Client::new().delete(url).send().await.unwrap();
    assert_eq!(deleted.status(), StatusCode::ACCEPTED);
    let error = registry.probe(&web, digest).await.unwrap_err();
    assert!(
        matches!(&error, RegistryError::NotFound { what } if what.contains(&digest.to_string())),
        "{error}"
    );
    copy_all(&from, &to).await.unwrap();
    assert_eq!(registry.probe(&web, digest).await.unwrap().len(), 2);
}
