use http::HeaderName;
use lockkeeper::forge::local::pages::{ProxyHeader, SignIn};
use lockkeeper::forge::{Forge, MergeMethod, Priority, PullRequestState, Reaction, Verdict};

use crate::browser::Server;
use crate::support::*;

#[tokio::test]
async fn shows_nothing_without_sign_in() {
    let server = Server::new(SignIn::Token).await;
    server.world.pull("b").await;
    let mut browser = server.browser();
    for path in
        ["", "/pulls", "/pulls/1?comment=x", "/pulls/1/changes", "/pulls/1/commits", "/issues", "/nowhere"]
    {
        let answer = browser.get(path).await;
        answer.has(303, "");
        assert!(answer.header("location").starts_with("/forge/env/sign-in?next=/forge/env/"), "{path}");
    }
    browser.get("/pulls/1.json").await.has(401, "\"error\"");
    browser.extra = vec![("sec-fetch-site", "cross-site".to_owned())];
    browser
        .get("/pulls/1")
        .await
        .has(200, "http-equiv=\"refresh\" content=\"0; url=/forge/env/sign-in?next=");
    let detour = browser.get("/sign-in").await;
    detour.has(200, "http-equiv=\"refresh\"");
    assert_eq!(detour.header("set-cookie"), "", "a cookie that was kept back is not overwritten");
    browser.extra.clear();
    for token in ["wrong", "", "ci-token"] {
        let page = browser.get("/sign-in").await;
        let answer = browser.post("/sign-in", &[("form_token", &page.form_token()), ("token", token)]).await;
        answer.has(401, "Nobody here has this token");
    }
    let mut eve = server.signed_in("eve-token").await;
    eve.get("/pulls").await.has(403, "no permission to read");
}

#[tokio::test]
async fn signs_in_with_a_new_session_and_out() {
    let server = Server::new(SignIn::Token).await;
    let mut browser = server.browser();
    let page = browser.get("/sign-in?next=/forge/env/pulls%3Fstate=closed").await;
    let before = browser.cookie.clone();
    let form = [("form_token", page.form_token()), ("token", "li-token".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(key, value)| (*key, value.as_str())).collect();
    for (next, want) in [
        ("/forge/env/pulls?state=closed", "/forge/env/pulls?state=closed"),
        ("//evil.example", "/forge/env/pulls"),
        ("/forge/env//evil.example", "/forge/env/pulls"),
        ("https://evil.example/forge/env/", "/forge/env/pulls"),
        ("/forge/env/\\evil", "/forge/env/pulls"),
        ("", "/forge/env/pulls"),
    ] {
        let mut browser = browser.clone();
        let answer = browser.post("/sign-in", &[&form[..], &[("next", next)]].concat()).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, want));
    }
    let answer = browser.post("/sign-in", &form).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_ne!(browser.cookie, before, "the session from before the sign-in is worth nothing");
    let page = browser.get("/pulls").await;
    page.has(200, "Sign out");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'self'"));
    let signed_in = browser.cookie.clone();
    browser.post("/sign-out", &[("form_token", &page.form_token())]).await.has(303, "");
    browser.cookie = signed_in;
    browser.get("/pulls").await.has(303, "");

    let mut late = server.signed_in("li-token").await;
    server.world.tick(12 * 3600 - 1);
    late.get("/pulls").await.has(200, "");
    server.world.tick(1);
    late.get("/pulls").await.has(303, "");
}

#[tokio::test]
async fn refuses_other_hosts_origins_and_forms() {
    let server = Server::new(SignIn::Token).await;
    let pull = server.world.pull("b").await;
    let mut browser = server.signed_in("li-token").await;
    for (host, status) in [
        ("127.0.0.1", 200),
        ("127.0.0.1:9999", 200),
        ("LockKeeper.example", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:80@127.0.0.1", 421),
        ("", 421),
    ] {
        browser.extra = vec![("host", host.to_owned())];
        let answer = browser.get("/pulls").await;
        // The HTTP library itself turns some of these away.
        assert!(
            answer.status == status || (status == 421 && answer.status == 400),
            "{host} {}",
            answer.status
        );
    }
    browser.extra.clear();
    let token = browser.get("/pulls/1").await.form_token();
    let mut post = async |form: &[(&str, &str)], extra: &[(&'static str, &str)], status: u16, text: &str| {
        browser.extra = extra.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        browser.post("/pulls/1/comment", form).await.has(status, text);
    };
    let other = server.signed_in("sam-token").await.get("/pulls/1").await.form_token();
    let zeros = "0".repeat(64);
    post(&[("text", "hi")], &[], 400, "form_token").await;
    post(&[("form_token", ""), ("text", "hi")], &[], 403, "does not belong to your session").await;
    post(&[("form_token", &zeros), ("text", "hi")], &[], 403, "does not belong to your session").await;
    post(&[("form_token", &other), ("text", "hi")], &[], 403, "does not belong to your session").await;
    post(&[("form_token", &token), ("text", "hi"), ("x", "y")], &[], 400, "unknown field `x`").await;
    post(
        &[("form_token", &token), ("text", "hi")],
        &[("origin", "https://evil.example")],
        403,
        "another site",
    )
    .await;
    post(&[("form_token", &token), ("text", "hi")], &[("origin", "null")], 403, "another site").await;
    post(&[("form_token", &token), ("text", " ")], &[], 403, "it is empty").await;
    let long = "a".repeat(22_000);
    post(&[("form_token", &token), ("text", &long)], &[], 413, "65536 bytes").await;
    assert_eq!(server.world.forge.comments_after(0, 10).await.unwrap(), []);
    let origin = format!("http://{}", server.address);
    post(&[("form_token", &token), ("text", "hi")], &[("origin", &origin)], 303, "").await;
    assert_eq!(server.world.forge.comments_after(0, 10).await.unwrap()[0].author, li());
    // Without its cookie, as from another site, a form is worth nothing.
    let mut stranger = server.browser();
    let head = pull.head.to_string();
    let form = [("form_token", token.as_str()), ("head", &head), ("verdict", "approved")];
    stranger.post("/pulls/1/review", &form).await.has(401, "Not signed in");
}

#[tokio::test]
async fn reviews_merges_and_closes_by_forms() {
    let server = Server::new(SignIn::Token).await;
    let world = &server.world;
    let pull = world.pull("b").await;
    let mut li = server.signed_in("li-token").await;
    let page = li.get("/pulls/1").await;
    page.has(200, "Approve");
    assert!(!page.text.contains("✔ Merge"), "not before the check has passed");
    page.has(200, "Check lockkeeper has not passed");
    let (token, old) = (page.form_token(), pull.head.to_string());
    let newer = world.push("b", pull.head, "image: x\n", "more").await;
    let form = [("form_token", token.as_str()), ("head", &old), ("verdict", "approved")];
    li.post("/pulls/1/review", &form).await.has(409, "The head moved");
    let head = newer.to_string();
    let review = |verdict| [("form_token", token.as_str()), ("head", head.as_str()), ("verdict", verdict)];
    li.post("/pulls/1/review", &review("splendid")).await.has(400, "unknown variant `splendid`");
    li.post("/pulls/1/review", &review("approved")).await.has(303, "");
    assert_eq!(world.forge.pull_request(1).await.unwrap().reviews[0].verdict, Verdict::Approved);
    li.get("/pulls/1").await.has(200, "li approved");
    let mut rob = server.signed_in("rob-token").await;
    let page = rob.get("/pulls/1").await;
    page.has(200, "rob may comment; to review takes the permission to write");
    let form =
        [("form_token", page.form_token()), ("head", head.clone()), ("verdict", "approved".to_owned())];
    let form: Vec<(&str, &str)> = form.iter().map(|(key, value)| (*key, value.as_str())).collect();
    rob.post("/pulls/1/review", &form).await.has(403, "it takes write");

    let merge = [("form_token", token.as_str()), ("head", head.as_str())];
    li.post("/pulls/1/merge", &merge).await.has(403, "must have passed");
    world.forge.set_check(newer, &passed("lockkeeper"), Priority::Act).await.unwrap();
    li.get("/pulls/1").await.has(200, "✔ Merge");
    li.post("/pulls/1/merge", &merge).await.has(303, "");
    let state = world.forge.pull_request(1).await.unwrap().state;
    assert!(matches!(state, PullRequestState::Merged { by, .. } if by.name == "li"));
    li.get("/pulls/1/commits").await.has(200, "Merge pull request #1 from b");
    li.post("/pulls/1/close", &[("form_token", &token)]).await.has(409, "merged as");
    li.post("/pulls/1/comment", &[("form_token", &token), ("text", "/rollback")]).await.has(303, "");
    li.get("/pulls?state=closed").await.has(200, "✔ merged");
    li.get("/pulls").await.has(200, "no pull request is open");
}

#[tokio::test]
async fn escapes_whatever_strangers_write() {
    let server = Server::new(SignIn::Token).await;
    let world = &server.world;
    let attack = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg/onload=alert(1)>";
    let branch = "x-<script>alert(1)</script>";
    world.push(branch, world.main, &format!("{attack}\n"), attack).await;
    let mut new = new_pull(branch);
    (new.title, new.body) = (attack.to_owned(), format!("{attack}\n\n[x](javascript:alert(1))"));
    new.labels = vec![attack.to_owned()];
    let pull = world.forge.open(&new).await.unwrap();
    let id = world.forge.write_comment(&rob(), 1, attack).await.unwrap();
    world.forge.react(id, Reaction::Eyes).await.unwrap();
    let mut check = passed("e2e");
    (check.name, check.summary, check.text) = (attack.to_owned(), attack.to_owned(), attack.to_owned());
    world.forge.report_check(&ci(), pull.head, check).await.unwrap();
    world.forge.edit(1, &format!("{attack} again"), &new.body).await.unwrap();
    let issue = world.forge.upsert_issue("ops", attack, attack).await.unwrap();
    let mut browser = server.signed_in("li-token").await;
    for path in [
        "/pulls".to_owned(),
        "/pulls/1".to_owned(),
        "/pulls/1?comment=%3C/textarea%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/pulls/1/changes".to_owned(),
        "/pulls/1/commits".to_owned(),
        "/issues".to_owned(),
        format!("/issues/{issue}"),
        "/pulls?state=%3Cscript%3E".to_owned(),
        "/%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let answer = browser.get(&path).await;
        for bad in ["<script", "<img", "<svg", "onload=alert(1)>\n", "javascript:", "</textarea><"] {
            let found = answer.text.replace("[x](javascript:", "").contains(bad);
            assert!(
                !found || bad == "javascript:" && !answer.text.contains("href=\"javascript"),
                "{bad} in {path}"
            );
        }
        assert!(
            path.contains("%3C") || answer.text.contains("&lt;") || answer.text.contains("&#60;"),
            "{path}"
        );
    }
    browser.get("/pulls?state=open&x=1").await.has(400, "unknown field `x`");
    browser.get("/pulls?before=-1").await.has(400, "before");
    browser.get(&format!("/pulls/1?comment={}", "a".repeat(2_000))).await.has(200, "aaa");
    browser.get(&format!("/pulls/1?comment={}", "a".repeat(2_001))).await.has(400, "more than 2000");
}

#[tokio::test]
async fn serves_the_rest() {
    let server = Server::new(SignIn::Token).await;
    let world = &server.world;
    let pull = world.pull("b").await;
    let issue = world.forge.upsert_issue("ops", "Operations", "commands go **here**").await.unwrap();
    let mut browser = server.signed_in("li-token").await;
    browser.get("").await.has(303, "");
    browser.get("/pulls/99").await.has(404, "not at the forge");
    browser.get("/pulls/x").await.has(404, "Not found");
    browser.get("/pulls/1/x").await.has(404, "no such page");
    browser.post("/pulls", &[]).await.has(405, "does not take");
    assert_eq!(browser.get(&format!("/pulls/{issue}")).await.header("location"), "/forge/env/issues/2");
    assert_eq!(browser.get("/issues/1").await.header("location"), "/forge/env/pulls/1");
    browser.get("/issues/2").await.has(200, "<strong>here</strong>");
    let page = browser.get("/pulls/1").await;
    page.has(200, "1.4.<mark>");
    page.has(200, "<strong>Decision needed</strong>");
    assert!(!page.text.contains("lockkeeper:v1"), "the marker is hidden");
    let style = page.text.split("/forge/env/style-").nth(1).unwrap().split('"').next().unwrap();
    let css = server.browser().get(&format!("/style-{style}")).await;
    css.has(200, ":root");
    assert!(css.header("cache-control").contains("immutable"));
    browser.get("/style-0.css").await.has(404, "");
    let json = browser.get("/pulls/1.json").await;
    let json: serde_json::Value = serde_json::from_str(&json.text).unwrap();
    assert_eq!(json["pull_request"]["head"], pull.head.to_string());
    // Pages of what is gone still open.
    world.forge.set_check(pull.head, &passed("lockkeeper"), Priority::Act).await.unwrap();
    world.forge.merge(1, pull.head, "m", MergeMethod::Squash, Priority::Act).await.unwrap();
    world.set_branch("b", None).await;
    browser.get("/pulls/1").await.has(200, "1.4.<mark>");
    browser.get("/pulls/1/commits").await.has(200, "On the branch");
}

#[tokio::test]
async fn takes_checks_from_apps_alone() {
    let server = Server::new(SignIn::Token).await;
    let pull = server.world.pull("b").await;
    let path = format!("/api/checks/{}", pull.head);
    let mut program = server.browser();
    let good = r#"{"name":"e2e","status":"passed","summary":"12 of 12","text":"ok"}"#;
    program.post_json(&path, None, good).await.has(401, "Not signed in");
    program.post_json(&path, Some("wrong"), good).await.has(401, "Not signed in");
    program.post_json(&path, Some("li-token"), good).await.has(403, "only apps report checks");
    program.post_json("/api/checks/xyz", Some("ci-token"), good).await.has(400, "not 40 lower-case hex");
    let nowhere = format!("/api/checks/{}", "3".repeat(40));
    program.post_json(&nowhere, Some("ci-token"), good).await.has(404, "not at the forge");
    program.post_json(&path, Some("ci-token"), "{").await.has(400, "Not understood");
    let wrong = r#"{"name":"e2e","status":"green"}"#;
    program.post_json(&path, Some("ci-token"), wrong).await.has(400, "at `status`: unknown variant `green`");
    let long = format!(r#"{{"name":"e2e","status":"passed","text":"{}"}}"#, "a".repeat(140_000));
    program.post_json(&path, Some("ci-token"), &long).await.has(413, "at most 131072 bytes");
    program.post_json(&path, Some("ci-token"), good).await.has(200, "commit");
    let checks = server.world.forge.pull_request(1).await.unwrap().checks;
    assert_eq!((checks[0].app.as_str(), checks[0].name.as_str()), ("ci", "e2e"));
}

#[tokio::test]
async fn believes_the_proxy_only_from_its_address() {
    for (trusted, status) in [("127.0.0.1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.1", 303)] {
        let name = HeaderName::from_static("x-person");
        let proxy = ProxyHeader { name, trusted: vec![trusted.parse().unwrap()] };
        let server = Server::with_proxy(SignIn::Token, Some(proxy)).await;
        let pull = server.world.pull("b").await;
        let mut browser = server.browser();
        browser.extra = vec![("x-person", "li".to_owned())];
        let page = browser.get("/pulls/1").await;
        page.has(status, "");
        if status != 200 {
            continue;
        }
        let head = pull.head.to_string();
        let token = page.form_token();
        let form = [("form_token", token.as_str()), ("head", head.as_str()), ("verdict", "approved")];
        browser.post("/pulls/1/review", &form).await.has(303, "");
        browser.get("/pulls/1").await.has(200, "signed in by the proxy");
        browser.extra.push(("x-person", "sam".to_owned()));
        browser.get("/pulls/1").await.has(403, "more than once");
        browser.extra = vec![("x-person", "nobody".to_owned())];
        browser.get("/pulls/1").await.has(403, "not in the people file");
    }
}

#[tokio::test]
async fn in_the_demo_all_read_and_choose_a_name() {
    let server = Server::new(SignIn::ChooseName).await;
    server.world.pull("b").await;
    let mut browser = server.browser();
    let page = browser.get("/pulls/1").await;
    page.has(200, "Sign in to comment or review");
    assert_eq!(page.header("set-cookie"), "");
    let page = browser.get("/sign-in").await;
    page.has(200, "value=\"li\"");
    let form = page.form_token();
    browser.post("/sign-in", &[("form_token", &form), ("name", "ghost")]).await.has(401, "Nobody here");
    browser.post("/sign-in", &[("form_token", &form), ("token", "li-token")]).await.has(401, "Nobody here");
    browser.post("/sign-in", &[("form_token", &form), ("name", "li")]).await.has(303, "");
    browser.get("/pulls/1").await.has(200, "Approve");
    let server = Server::new(SignIn::Token).await;
    let mut browser = server.browser();
    let form = browser.get("/sign-in").await.form_token();
    browser.post("/sign-in", &[("form_token", &form), ("name", "li")]).await.has(401, "Nobody here");
}
