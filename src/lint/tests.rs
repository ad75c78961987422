//! Files and facts in, findings out: each case says what stands where, and what is found.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::image::Digest;
use crate::pipeline;

const RULES: &str = "version: 1
pipelines:
  - name: shop
    images:
      - { repository: r.example/web, follow: { semver: '>=1' }, platforms: [linux/amd64, linux/arm64] }
    stages:
      - { name: dev, pins: [dev.yaml], merge: automatic }
      - { name: eu, group: prod, pins: [eu.yaml], gates: { approvals: { min: 1 } } }
      - { name: us, group: prod, after: [dev], pins: [us.yaml] }
";

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn terms(asks: Asks) -> Terms {
    Terms { today: "2026-11-21".parse().unwrap(), asks }
}

/// A checkout of these files, by the rules above and these lines of `lint`.
fn checkout(files: &[(&str, &str)], lint: &str) -> Checkout {
    let rules = pipeline::parse(format!("{RULES}{lint}").as_bytes()).unwrap();
    let mut surveys: Vec<Survey> = files.iter().map(|(file, text)| survey(file, text)).collect();
    surveys.sort_by(|one, other| one.file.cmp(&other.file));
    let known: BTreeSet<&str> = files.iter().map(|(file, _)| *file).collect();
    let missing = ["dev.yaml", "eu.yaml", "us.yaml"].iter().filter(|file| !known.contains(*file));
    let missing = missing.map(|file| (*file).to_owned()).collect();
    Checkout { surveys, rules: Some(rules), missing, is_whole: true }
}

fn survey(file: &str, text: &str) -> Survey {
    let kind = match Kind::of_name(file) {
        Named::Is(kind) => kind,
        Named::Perhaps => Kind::of_first_line(text.as_bytes()).unwrap(),
        Named::Other => panic!("{file} is not looked at"),
    };
    Survey::of(file, kind, text.as_bytes(), &[])
}

fn lines(report: &Report) -> Vec<String> {
    let line = |finding: &Finding| {
        let Finding { rule, severity, file, region, .. } = finding;
        format!("{file}:{}:{} {} {}", region.line, region.column, severity.word(), rule.name())
    };
    report.findings.iter().map(line).collect()
}

/// What is found in one file of no stage, offline: line, column and rule.
#[track_caller]
fn check_alone(file: &str, text: &str, want: &[&str]) {
    let checkout = Checkout { surveys: vec![survey(file, text)], ..Checkout::default() };
    let report = checkout.judge(terms(Asks::Nothing), &Facts::default());
    let found = report.findings.iter().map(|finding| {
        format!(
            "{}:{} {} {}",
            finding.region.line,
            finding.region.column,
            finding.rule.name(),
            finding.message
        )
    });
    let found: Vec<String> =
        found.map(|line| line.split(['`']).take(2).collect::<Vec<_>>().join("").trim().to_owned()).collect();
    assert_eq!(found, want, "{file}\n{text}");
}

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: x\n      image: {image}\n")
}

#[test]
fn latest_in_manifests_is_found_where_it_is_what_is_pulled() {
    let bad =
        |image: &str, text: &str| check_alone("a.yaml", &pod(image), &[&format!("6:14 latest-tag {text}")]);
    bad("web", "web");
    bad("web:latest", "web:latest");
    bad("\"r.example:5000/a/web\"", "r.example:5000/a/web");
    let pinned = format!("web:latest@{}", digest("x"));
    for image in
        ["web:1", "web:latest-2", "web:1.latest", "latest:1", &pinned, "'{{ x }}:latest'", "$(IMAGE)"]
    {
        check_alone("a.yaml", &pod(image), &[]);
    }
    for (text, want) in [
        // Values of a chart: what no tag means is the chart's affair, and `latest` is not.
        ("image: {repository: r/web, tag: latest}\n", &["1:8 latest-tag r/web:latest"][..]),
        ("image:\n  repository: r/web\n  tag: latest\n", &["3:3 latest-tag r/web:latest"]),
        ("image:\n  repository: r/web\n  tag: ''\n", &[]),
        ("image: r/web\nimageTag: '1'\n", &[]),
        ("image: r/web\nimageTag: latest\n", &["1:8 latest-tag r/web:latest"]),
        ("image: r/web\n", &[]),
        ("image: r/web:latest\n", &["1:8 latest-tag r/web:latest"]),
        // A resource that has its tag in a field beside it.
        ("apiVersion: x/v1\nkind: Thing\nspec:\n  image: r/web\n  version: v1\n", &[]),
        ("apiVersion: x/v1\nkind: Thing\nspec:\n  image: r/web\n", &["4:10 latest-tag r/web"]),
        ("# image: web:latest\na: 'pull web:latest'\nenv: {image: web:latest}\n", &[]),
        ("kind: ConfigMap\napiVersion: v1\ndata:\n  image: web:latest\n", &[]),
        ("images:\n  - name: web\n    newName: r/web\n", &[]),
        ("images:\n  - name: web\n    newTag: latest\n", &["3:5 latest-tag web:latest"]),
    ] {
        let file = if text.starts_with("images:") { "kustomization.yaml" } else { "values.yaml" };
        check_alone(file, text, want);
    }
    // Two documents, line ends of Windows, letters of more than one byte.
    let text = "kind: Pod\r\napiVersion: v1\r\nspec: {containers: [{name: 'é🚀', image: web}]}\r\n---\r\n";
    check_alone("a.yaml", text, &["3:42 latest-tag web"]);
}

#[test]
fn compose_is_judged_as_ci_unless_it_is_of_a_stage() {
    let text = "services:\n  a: {image: nginx}\n  b: {image: app:latest, build: .}\n  c: {image: 'x:${T:-latest}'}\n";
    check_alone("compose.yaml", text, &["2:14 latest-in-ci nginx"]);
    let report = checkout(&[("dev.yaml", text)], "").judge(terms(Asks::Nothing), &Facts::default());
    assert!(lines(&report).contains(&"dev.yaml:2:14 warning latest-tag".to_owned()), "{:?}", lines(&report));
}

#[test]
fn latest_in_workflows_of_github() {
    let text = r#"
on: push
env: { IMAGE: "web:latest" }
jobs:
  a:
    runs-on: ubuntu-latest
    container: node
    services:
      db: { image: "postgres:latest" }
      old: { image: "postgres:16" }
    steps:
      - uses: actions/checkout@v4
      - uses: docker://alpine:latest
      - uses: docker://alpine:3.20
      - name: docker pull web:latest
      - run: docker pull "web:latest" # docker pull x:latest
      - run: |
          # docker pull a:latest
          echo "docker pull b:latest is bad"
          docker build -t mine:latest -t ${{ env.R }}/mine .
          docker run --rm mine:latest
          docker run ${{ env.R }}/mine:latest
          npm install x@latest
          sudo docker run \
            -v "$PWD:/x" \
            c sh -c 'docker pull d'
          docker pull $IMAGE
          docker pull ${{ env.R }}/other:latest
          cat <<EOF | kubectl apply -f -
          docker pull e:latest
          EOF
      - run: docker pull f
        shell: python
      - uses: docker/build-push-action@v6
        with: { tags: "g:latest,h:1", image: web:latest }
      - run: docker run g:latest
"#;
    check_alone(
        ".github/workflows/ci.yml",
        text,
        &[
            "7:16 latest-in-ci node",
            "9:20 latest-in-ci postgres:latest",
            "13:15 latest-in-ci alpine:latest",
            "16:26 latest-in-ci web:latest",
            "26:13 latest-in-ci c",
            "28:23 latest-in-ci ${{ env.R }}/other:latest",
        ],
    );
    let action = "runs:\n  using: docker\n  image: docker://web:latest\n";
    check_alone("deploy/action.yml", action, &["3:10 latest-in-ci web:latest"]);
    check_alone("deploy/action.yml", "runs: {using: docker, image: Dockerfile}\n", &[]);
}

#[test]
fn latest_in_pipelines_of_gitlab_and_others() {
    let text = "\
variables: { image: web:latest }
image: ruby
.base: &base
  - docker pull a:latest
default:
  image: { name: \"b:latest\", entrypoint: [\"\"] }
job:
  image: $CI_REGISTRY_IMAGE:latest
  services: [docker:dind, {name: \"redis:latest\"}, postgres]
  before_script: *base
  script:
    - docker pull $X
    - >
      docker run
      --rm c:latest
  variables: { image: d:latest }
";
    check_alone(
        ".gitlab-ci.yml",
        text,
        &[
            "2:8 latest-in-ci ruby",
            "4:17 latest-in-ci a:latest",
            "6:18 latest-in-ci b:latest",
            "8:10 latest-in-ci $CI_REGISTRY_IMAGE:latest",
            "9:34 latest-in-ci redis:latest",
            "9:51 latest-in-ci postgres",
            "15:12 latest-in-ci c:latest",
        ],
    );
    let circle = "jobs:\n  a:\n    machine: {image: default}\n    docker: [{image: 'cimg/go:latest'}]\n    steps:\n      - run: {command: docker pull x}\n";
    check_alone(".circleci/config.yml", circle, &["4:22 latest-in-ci cimg/go:latest", "6:36 latest-in-ci x"]);
    check_alone(
        ".drone.yml",
        "steps:\n  - image: plugins/docker\n    settings: {image: x:latest}\n",
        &["2:12 latest-in-ci plugins/docker"],
    );
}

#[test]
fn scripts_of_ci_are_read_as_yaml_means_them() {
    let text = "jobs:\n  a:\n    steps:\n      - run: \"docker pull x:1\\ndocker pull y:latest\"\n      \
                - run: \"docker pull \\\"z:latest\\\"\"\n";
    check_alone(
        ".github/workflows/ci.yml",
        text,
        &["4:14 latest-in-ci y:latest", "5:14 latest-in-ci z:latest"],
    );
    let bitbucket =
        "image: {name: acme/build:latest}\npipelines:\n  default:\n    - step: {name: x:latest}\n";
    check_alone("bitbucket-pipelines.yml", bitbucket, &["1:15 latest-in-ci acme/build:latest"]);
}

#[test]
fn latest_in_scripts_and_dockerfiles() {
    let script =
        "#!/bin/sh\n# docker pull a\nif true; then docker pull b; fi\nX=$(docker run --rm c:latest)\n";
    check_alone("hack/run", script, &["3:27 latest-in-ci b", "4:21 latest-in-ci c:latest"]);
    check_alone(
        "run.sh",
        "helm upgrade x y --set image.tag=latest\n",
        &["1:24 latest-in-ci image.tag=latest"],
    );
    check_alone(
        "Dockerfile",
        "FROM golang AS b\nFROM scratch\nCOPY --from=b /x /y\n",
        &["1:6 latest-in-ci golang"],
    );
}

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
fn a_base_whose_overlays_give_the_tag_is_no_finding() {
    let base = pod("web");
    let overlay = |image: &str| format!("resources: [../base]\nimages: [{{name: web, {image}}}]\n");
    let judge = |overlay: &str| {
        let files = [
            ("base/kustomization.yaml", "resources: [pod.yaml]\n"),
            ("base/pod.yaml", base.as_str()),
            ("prod/kustomization.yaml", overlay),
        ];
        let surveys = files.iter().map(|(file, text)| survey(file, text)).collect();
        let checkout = Checkout { surveys, ..Checkout::default() };
        lines(&checkout.judge(terms(Asks::Nothing), &Facts::default()))
    };
    assert_eq!(judge(&overlay("newTag: '1'")), Vec::<String>::new());
    assert_eq!(judge(&overlay("newName: r.example/web")), ["base/pod.yaml:6:14 warning latest-tag"]);
    assert_eq!(judge(&overlay("newTag: latest")), ["prod/kustomization.yaml:2:10 warning latest-tag"]);
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

/// Pieces of which files are made up that no reader expects.
const PIECES: [&str; 30] = [
    "docker",
    " run ",
    "pull",
    " web:latest",
    "$(",
    ")",
    "`",
    "\"",
    "'",
    "\\",
    "<<EOF",
    "\nEOF",
    "\n",
    "\r\n",
    " ",
    "#",
    "é🚀",
    "\u{feff}",
    "FROM ",
    "ARG A=",
    "${A",
    "}",
    "COPY --from=",
    "jobs: {a: {container: ",
    "image: ",
    "- ",
    "|\n  ",
    "@sha256:",
    ": ",
    "2>&1",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_too_odd_to_be_read(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let text = pieces.concat();
        for file in ["a.yaml", ".github/workflows/a.yml", ".gitlab-ci.yml", ".drone.yml", "Dockerfile", "a.sh"] {
            for mention in survey(file, &text).mentions {
                let Region { line, column, end_column } = mention.region;
                prop_assert!(line >= 1 && column >= 1 && end_column >= column, "{:?}", mention);
                prop_assert!(line <= text.lines().count() + text.matches('\r').count() + 1);
            }
        }
    }
}

#[test]
fn a_renamed_image_is_neither_pinned_nor_asked_for() {
    let base = "resources: [web.yaml]\n";
    let overlay = "resources: [../base]\nimages: [{name: web, newName: r.example/web}]\n";
    let pinned = format!("web:1@{}", digest("x"));
    for image in ["web", "web:1", "web:latest", &pinned] {
        let files = [("base/kustomization.yaml", base), ("base/web.yaml", &pod(image))];
        let with = [&files[..], &[("prod/kustomization.yaml", overlay)]].concat();
        let of = |files: &[(&str, &str)]| {
            let checkout = checkout(files, "lint: { rules: { missing-digest: warning } }\n");
            let report = checkout.judge(terms(Asks::Fix), &Facts::default());
            let asked = checkout.questions(terms(Asks::Fix), &Facts::default());
            let fixes = report.findings.iter().filter(|finding| finding.fix.is_some()).count();
            (asked.len(), fixes)
        };
        assert_eq!(of(&with), (0, 0), "{image}");
        let is_pinned = image == pinned;
        assert_eq!(of(&files), (1, usize::from(!is_pinned)), "{image}");
    }
}
