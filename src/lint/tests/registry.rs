//! What registries are asked, and what follows from their answers.

use super::*;

/// What a registry holds, as answers.
fn facts() -> Facts {
    let mut facts = Facts::default();
    let web = || "r.example/web".parse().unwrap();
    let index = Held {
        digest: digest("index"),
        platforms: vec![
            ("linux/amd64".to_owned(), digest("amd64")),
            ("linux/arm64".to_owned(), digest("arm64")),
        ],
    };
    let single = Held { digest: digest("single"), platforms: Vec::new() };
    for (tag, answer) in [
        ("1", Ok(index.clone())),
        ("moved", Ok(index)),
        ("gone", Err(Trouble::Missing)),
        ("away", Err(Trouble::Unknown("it sleeps".to_owned()))),
    ] {
        facts.insert(Question::Named(web(), tag.parse().unwrap()), answer);
    }
    facts.insert(
        Question::Held(web(), digest("old")),
        Ok(Held { digest: digest("old"), platforms: vec![("x".to_owned(), digest("y"))] }),
    );
    facts.insert(Question::Held(web(), digest("single")), Ok(single));
    facts.insert(Question::Held(web(), digest("lost")), Err(Trouble::Missing));
    facts
}

#[test]
fn registry_rules_follow_from_the_facts() {
    for (tag, pinned, want, unknown) in [
        (":1", "index", &[][..], 0),
        (":1", "arm64", &["platform-digest"], 0),
        (":moved", "old", &["tag-moved"], 0),
        (":moved", "single", &["platform-digest", "tag-moved"], 0),
        (":gone", "lost", &["digest-not-found", "tag-moved"], 0),
        (":gone", "old", &["tag-moved"], 0),
        (":away", "old", &[], 1),
        ("", "old", &[], 0),
        ("", "lost", &["digest-not-found"], 0),
        ("", "single", &["platform-digest"], 0),
    ] {
        let eu = pod(&format!("r.example/web{tag}@{}", digest(pinned)));
        let mut checkout = checkout(&[("eu.yaml", &eu)], "");
        checkout.missing.clear();
        let report = checkout.judge(terms(Asks::Judge), &facts());
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.rule.name()).collect();
        assert_eq!(found, want, "{tag} {pinned}");
        assert!(report.findings.iter().all(|finding| finding.severity == Severity::Error));
        assert_eq!(report.unknown.len(), unknown, "{tag} {pinned}");
        assert_eq!(checkout.questions(terms(Asks::Judge), &facts()), [], "{tag} {pinned}");
        // Offline, none of it is looked at.
        let offline = checkout.judge(terms(Asks::Nothing), &facts());
        assert!(offline.is_offline && offline.findings.is_empty() && offline.unknown.is_empty());
    }
}

#[test]
fn tags_that_move_by_their_nature_are_let_be() {
    let judge = |image: &str, rules: &str| {
        let rules = pipeline::parse(rules.as_bytes()).unwrap();
        let surveys = vec![survey("eu.yaml", &pod(&format!("{image}@{}", digest("old"))))];
        let checkout = Checkout { surveys, rules: Some(rules), missing: Vec::new(), is_whole: false };
        let mut facts = Facts::default();
        let reference: crate::image::Reference = image.parse().unwrap();
        let now = Held { digest: digest("new"), platforms: Vec::new() };
        facts.insert(Question::Named(reference.repository.clone(), reference.tag.unwrap()), Ok(now));
        let held = Held { digest: digest("old"), platforms: vec![("x".to_owned(), digest("y"))] };
        facts.insert(Question::Held(reference.repository, digest("old")), Ok(held));
        let report = checkout.judge(terms(Asks::Judge), &facts);
        let told = report.findings.iter().filter(|finding| finding.rule == LintRule::TagMoved);
        told.map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(judge("r.example/web:1", RULES), [Severity::Error]);
    assert_eq!(judge("r.example/web:latest", RULES), []);
    assert_eq!(judge("r.example/web:main", &RULES.replace("semver: '>=1'", "tag: main")), []);
    // Somebody else's image: its tags are moved without anybody here.
    assert_eq!(judge("nginx:1.27", RULES), [Severity::Warning]);
}

#[test]
fn questions_are_asked_once_and_in_turn() {
    let image = format!("r.example/web:1@{}", digest("other"));
    let files = [("dev.yaml", pod(&image)), ("eu.yaml", pod(&image)), ("us.yaml", pod("r.example/web:2"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let checkout = checkout(&files, "");
    let web = || "r.example/web".parse().unwrap();
    let mut facts = Facts::default();
    let named = Question::Named(web(), "1".parse().unwrap());
    assert_eq!(checkout.questions(terms(Asks::Nothing), &facts), []);
    assert_eq!(checkout.questions(terms(Asks::Judge), &facts), std::slice::from_ref(&named));
    facts.insert(named, Ok(Held { digest: digest("index"), platforms: Vec::new() }));
    let held = Question::Held(web(), digest("other"));
    assert_eq!(checkout.questions(terms(Asks::Judge), &facts), std::slice::from_ref(&held));
    facts.insert(held, Err(Trouble::Missing));
    assert_eq!(checkout.questions(terms(Asks::Judge), &facts), []);
    assert_eq!(checkout.questions(terms(Asks::Fix), &facts), [Question::Named(web(), "2".parse().unwrap())]);
}
