//! The pages from made-up views.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-20T12:07:00Z".parse().unwrap()
}

fn stage(name: &str, state: &str, more: &Value) -> Value {
    let mut found = json!({ "name": name, "version": "1.4.2", "short": "9f2c41aa7b03",
        "since": "2026-11-18T12:00:00Z", "state": state, "word": state });
    for (key, value) in more.as_object().unwrap() {
        found[key] = value.clone();
    }
    found
}

fn view(repository: &str, pipeline: &str, stages: &[Value]) -> PipelineView {
    let view = json!({ "repository": repository, "pipeline": pipeline, "owner": "team:acme/shop",
        "updated_at": now(), "stages": stages });
    serde_json::from_value(view).unwrap()
}

fn board(views: &[PipelineView], query: &str) -> String {
    let uri = format!("/?{query}").parse().unwrap();
    let Query(filter) = Query::<Filter>::try_from_uri(&uri).unwrap();
    Board::new(views, &filter, "/style.css", now()).render().unwrap()
}

fn page(view: PipelineView) -> String {
    PipelinePage::new(view, "/style.css", now()).render().unwrap()
}

#[test]
fn a_board_of_200_pipelines_and_6_stages_stays_below_200_kilobytes() {
    let names = ["dev", "staging", "canary-eu", "canary-us", "prod-eu", "prod-us"];
    let request = json!({ "pull_request": { "number": 1812, "url": "https://forge.example.com/acme/environments/pull/1812", "title": "x" } });
    let row = |number: usize| {
        let stages = names.iter().enumerate().map(|(at, name)| {
            let is_open = (number + at).is_multiple_of(17);
            let (state, more) = if is_open { ("person", request.clone()) } else { ("live", json!({})) };
            stage(name, state, &more)
        });
        view("shop", &format!("service-number-{number:03}"), &stages.collect::<Vec<_>>())
    };
    let views: Vec<_> = (0..200).map(row).collect();
    let begun = std::time::Instant::now();
    let html = board(&views, "");
    assert!(html.len() < 200_000, "{} bytes", html.len());
    assert!(begun.elapsed().as_millis() < 300, "{:?}", begun.elapsed());
    assert_eq!(html.matches("<td").count(), 1200);
}

#[test]
fn pipelines_with_the_same_stages_share_a_table() {
    let two = [stage("dev", "live", &json!({})), stage("prod", "live", &json!({}))];
    let one = [stage("dev", "live", &json!({}))];
    let views =
        [view("shop", "a", &one), view("shop", "b", &two), view("shop", "c", &two), view("infra", "d", &two)];
    let html = board(&views, "");
    assert_eq!(html.matches("<table").count(), 3);
    let order: Vec<_> =
        ["/p/infra/d", "/p/shop/b", "/p/shop/c", "/p/shop/a"].map(|link| html.find(link)).to_vec();
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?}");
}

#[test]
fn filters_stand_in_the_address() {
    let broken = PipelineView { error: Some("no pin".into()), ..view("shop", "mailer", &[]) };
    let views = [
        view("shop", "web", &[stage("dev", "live", &json!({ "short": "aaaaaaaaaaaa" }))]),
        view("shop", "api", &[stage("dev", "person", &json!({ "version": "2.0.0" }))]),
        broken,
    ];
    let long = format!("q=sha256:{}", "a".repeat(64));
    for (query, want) in [
        ("", &["web", "api", "mailer"][..]),
        ("q=WEB", &["web"]),
        ("q=2.0", &["api"]),
        ("q=aaaaaaaa", &["web"]),
        (long.as_str(), &["web"]),
        ("state=person", &["api"]),
        ("state=failed", &["mailer"]),
        ("q=web&state=person", &[]),
        ("q=nothing", &[]),
    ] {
        let html = board(&views, query);
        for name in ["web", "api", "mailer"] {
            assert_eq!(html.contains(&format!("/p/shop/{name}\"")), want.contains(&name), "{query} {name}");
        }
    }
    assert!(board(&views, "q=nothing").contains("None of 3 pipelines matches"));
    assert!(board(&[], "").contains("No pipeline yet"));
}

#[test]
fn text_of_others_is_shown_and_never_obeyed() {
    let evil = "<script>alert(1)</script>\" onmouseover=x ";
    let more = json!({ "version": evil, "word": evil, "group": evil, "holds": [evil],
        "pull_request": { "number": 1, "url": "javascript:alert(1)", "title": evil },
        "rollback_target": { "version": evil, "short": evil, "present": "no" },
        "pins": [{ "file": evil, "path": evil, "reference": evil }] });
    let mut view = view("shop", "web", &[stage(evil, "person", &more)]);
    view.owner = Some(evil.to_owned());
    view.error = Some(evil.to_owned());
    view.issue_url = Some("//evil.example".to_owned());
    for html in [
        board(std::slice::from_ref(&view), "q=%3Cscript%3E"),
        board(std::slice::from_ref(&view), ""),
        page(view),
    ] {
        assert!(
            !html.contains("<script") && !html.contains("javascript:") && !html.contains("//evil"),
            "{html}"
        );
        assert!(!html.contains("\" onmouseover"), "{html}");
    }
}

#[test]
fn the_page_has_the_digests_in_full_what_waits_and_how_to_go_back() {
    let reference = format!("registry.example.com/shop/web:1.4.2@sha256:{}", "9f".repeat(32));
    let more = json!({ "word": "held (INC-2041)", "lane": "rollback", "holds": ["`/resume prod` lifts it"],
        "rollback_target": { "version": "1.4.1", "short": "51b0c7d2e9f4", "present": "unknown" },
        "pins": [{ "file": "apps/web/prod.yaml", "path": "image", "reference": reference }] });
    let html = page(view("shop", "web", &[stage("prod", "held", &more)]));
    for want in [
        reference.as_str(),
        "held (INC-2041)",
        "<code>/resume prod</code> lifts it",
        "back to 1.4.1",
        "not checked",
        "2026-11-18 12:00</time> <span class=\"age\">(2d)",
        "· rollback",
    ] {
        assert!(html.contains(want), "{want} in\n{html}");
    }
}

#[test]
fn a_stored_document_of_another_version_is_shown_as_such() {
    let key = Key::pipeline("shop", "web".parse().unwrap());
    let view = read(&key, json!({ "stages": 7 }));
    assert!(view.error.as_deref().unwrap().contains("cannot be read"));
    assert!(board(&[view], "").contains("/p/shop/web"));
}

#[test]
fn a_broken_file_is_shown_with_its_repository() {
    let view = json!({ "repository": "infra", "pipeline": null, "updated_at": now(), "error": "line 14: no stage `stagin`" });
    let html = board(&[serde_json::from_value(view).unwrap()], "");
    assert!(html.contains("<h2>infra") && html.contains("<code>stagin</code>"), "{html}");
}
