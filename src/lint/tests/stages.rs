//! What a finding weighs: by stage, by exemption, from one run to the next.

use super::*;

#[test]
fn severity_follows_the_stage() {
    let (tagged, bare) = (pod("r.example/web:1"), pod("r.example/web"));
    let files =
        [("dev.yaml", tagged.as_str()), ("eu.yaml", &tagged), ("us.yaml", &bare), ("other.yaml", &tagged)];
    let judge = |lint: &str| lines(&checkout(&files, lint).judge(terms(Asks::Nothing), &Facts::default()));
    assert_eq!(
        judge(""),
        [
            "dev.yaml:6:14 warning missing-digest",
            "eu.yaml:6:14 error missing-digest",
            "us.yaml:6:14 error latest-tag",
        ]
    );
    let lint = "lint:\n  rules: { missing-digest: warning, latest-tag: off }\n  \
                stages: { dev: { missing-digest: off }, prod: { missing-digest: error }, us: { latest-tag: warning } }\n";
    assert_eq!(
        judge(lint),
        [
            "eu.yaml:6:14 error missing-digest",
            "other.yaml:6:14 warning missing-digest",
            "us.yaml:6:14 warning latest-tag",
        ]
    );
}

#[test]
fn what_a_stage_names_and_nobody_can_read_is_told() {
    let good = pod(&format!("r.example/web:1@{}", digest("a")));
    let template = pod("'${IMAGE}'");
    let other = pod(&format!("r.example/other:1@{}", digest("a")));
    let judge =
        |files: &[(&str, &str)]| lines(&checkout(files, "").judge(terms(Asks::Nothing), &Facts::default()));
    assert_eq!(
        judge(&[("dev.yaml", &good), ("eu.yaml", &template)]),
        ["eu.yaml:6:7 warning unread-pin", "lockkeeper.yaml:1:1 error unread-pin"]
    );
    assert_eq!(
        judge(&[("dev.yaml", "a: [\n"), ("eu.yaml", &other), ("us.yaml", &good)]),
        ["dev.yaml:1:1 warning unread-pin", "eu.yaml:1:1 error unread-pin"]
    );
}

#[test]
fn mixed_digests_are_errors_in_a_stage_and_warnings_in_a_group() {
    let one = pod(&format!("r.example/web:1@{}", digest("1")));
    let two = pod(&format!("r.example/web:2@{}", digest("2")));
    let both = format!("{one}---\n{two}");
    let judge = |eu: &str, us: &str| {
        let files = [("dev.yaml", one.as_str()), ("eu.yaml", eu), ("us.yaml", us)];
        lines(&checkout(&files, "").judge(terms(Asks::Nothing), &Facts::default()))
    };
    assert_eq!(judge(&one, &one), Vec::<String>::new());
    assert_eq!(judge(&one, &two), ["us.yaml:6:14 warning mixed-digests"]);
    assert_eq!(judge(&both, &two), ["eu.yaml:13:14 error mixed-digests"]);
}

#[test]
fn exemptions_hold_until_their_date_and_are_missed_when_unused() {
    let ci = "jobs: {a: {container: 'node:latest'}}\n";
    let good = pod(&format!("r.example/web:1@{}", digest("1")));
    let files = [
        ("dev.yaml", good.as_str()),
        ("eu.yaml", &good),
        ("us.yaml", &good),
        (".github/workflows/a.yml", ci),
    ];
    let exemption = |keys: &str, expires: &str| {
        format!(
            "lint:\n  exemptions:\n    - {{ {keys}, owner: 'team:a/b', reason: because, expires: {expires} }}\n"
        )
    };
    let judge = |lint: &str| {
        let report = checkout(&files, lint).judge(terms(Asks::Nothing), &Facts::default());
        (lines(&report), report.exempted)
    };
    let finding = ".github/workflows/a.yml:1:23 warning latest-in-ci".to_owned();
    let expired = "lockkeeper.yaml:12:1 error expired-exemption".to_owned();
    let unused = "lockkeeper.yaml:12:1 warning unused-exemption".to_owned();
    for (keys, expires, want, exempted) in [
        ("rule: latest-in-ci, path: '.github/**'", "2026-11-21", vec![], 1),
        ("rule: latest-in-ci, image: node", "2027-01-01", vec![], 1),
        ("rule: latest-in-ci, image: docker.io/library/node, path: '**/a.yml'", "2027-01-01", vec![], 1),
        ("rule: latest-in-ci, path: '.github/**'", "2026-11-20", vec![finding.clone(), expired], 0),
        ("rule: latest-in-ci, image: other", "2027-01-01", vec![finding.clone(), unused.clone()], 0),
        ("rule: latest-tag, path: '.github/**'", "2027-01-01", vec![finding.clone(), unused], 0),
        // What the registry would say is not known offline.
        ("rule: tag-moved, image: node", "2027-01-01", vec![finding], 0),
    ] {
        assert_eq!(judge(&exemption(keys, expires)), (want, exempted), "{keys} {expires}");
    }
}

#[test]
fn fingerprints_outlive_moved_lines() {
    let prints = |text: &str| {
        let checkout = Checkout { surveys: vec![survey("a.yaml", text)], ..Checkout::default() };
        let report = checkout.judge(terms(Asks::Nothing), &Facts::default());
        report.findings.into_iter().map(|finding| finding.fingerprint).collect::<Vec<_>>()
    };
    let one = pod("web");
    let two = prints(&format!("{one}---\n{one}"));
    assert_eq!(prints(&format!("# moved\n{one}")), two[..1]);
    assert_ne!(two[0], two[1]);
}
