//! What each key means, and what is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{check_error, parsed, prod, with_image, with_stage, with_stages};
use crate::pipeline::{
    Approvals, ChangeClass, Gates, LintRule, LintRules, MergePolicy, OutOfBand, PinTarget, Policy, Rule,
    Severity, Together,
};

#[test]
fn a_stage_without_keys_has_the_defaults() {
    let stage = prod("");
    assert_eq!(stage.merge, MergePolicy::Approved);
    let approvals = Approvals {
        min: 1,
        by_class: BTreeMap::new(),
        from: vec![],
        independent: true,
        unknown_authors_allowed: false,
    };
    assert_eq!(stage.gates.approvals, Some(approvals));
    assert_eq!(stage.gates.soak, Duration::ZERO);
    assert!(stage.gates.checks.is_empty() && stage.rollback_by.is_empty() && stage.group.is_none());
    assert!(stage.supersede);
    let Gates { provenance, policy, rollback_ready, .. } = stage.gates;
    assert!(!provenance && policy.is_none() && !rollback_ready);
    assert_eq!(stage.out_of_band, OutOfBand::Refused);
    assert_eq!(stage.after, ["dev".parse().unwrap()]);
    assert_eq!(stage.pins, [PinTarget { file: "prod.yaml".to_owned(), path: None }]);
}

#[test]
fn a_pipeline_without_keys_has_the_defaults() {
    let pipeline = parsed(&with_stage("")).pipelines.remove(0);
    assert_eq!(
        (pipeline.together, pipeline.settle, pipeline.start_now),
        (Together::Any, Duration::ZERO, false)
    );
    assert_eq!(pipeline.owner, None);
    assert_eq!(pipeline.images[0].follow, Rule::Tag("main".parse().unwrap()).into());
}

#[test]
fn approvals_depend_on_who_merges() {
    let approvals = |keys: &str| prod(keys).gates.approvals;
    assert_eq!(approvals("merge: automatic"), None);
    let with = approvals("merge: automatic, gates: { approvals: { min: 2 } }").unwrap();
    assert_eq!((with.min, with.independent), (2, false));
    let with = approvals("gates: { approvals: { min: 2, from: [\"team:a/b\", \"user:c\"] } }").unwrap();
    assert_eq!(
        (with.min, with.from.len(), with.independent, with.unknown_authors_allowed),
        (2, 2, true, false)
    );
    let with = approvals("gates: { approvals: { independent: false, unknown_authors: allow } }").unwrap();
    assert_eq!((with.min, with.independent, with.unknown_authors_allowed), (1, false, true));
    assert!(approvals("merge: automatic, gates: { approvals: { independent: true } }").unwrap().independent);
}

#[test]
fn approvals_depend_on_how_much_changes() {
    let rule = prod("gates: { approvals: { min: 2, major: 3, base-only: 1 } }").gates.approvals.unwrap();
    for (class, want) in [
        (ChangeClass::Major, 3),
        (ChangeClass::Minor, 2),
        (ChangeClass::Patch, 2),
        (ChangeClass::Rebuild, 2),
        (ChangeClass::BaseOnly, 1),
        (ChangeClass::Unknown, 3),
    ] {
        assert_eq!(rule.needed(class), want, "{}", class.word());
    }
    let rule = prod("gates: { approvals: { min: 4, major: 3 } }").gates.approvals.unwrap();
    assert_eq!((rule.needed(ChangeClass::Unknown), rule.needed(ChangeClass::Patch)), (4, 4));
}

#[test]
fn each_key_of_a_stage_is_read() {
    let stage = prod("gates: { soak: 1h30m, checks: [e2e, { name: e2e, app: ci }] }, supersede: never");
    assert_eq!(stage.gates.soak, Duration::from_mins(90));
    assert_eq!(stage.gates.checks.len(), 2);
    assert_eq!(stage.gates.checks[1].app.as_deref(), Some("ci"));
    assert!(!stage.supersede);
    let gates = prod("gates: { provenance: true, policy: lint, rollback_ready: true }").gates;
    assert!(gates.provenance && gates.rollback_ready && gates.policy == Some(Policy::Lint));
    assert_eq!(prod("out_of_band: allowed").out_of_band, OutOfBand::Allowed);
    assert_eq!(prod("rollback: { by: [\"role:admin\"] }, live: merged").rollback_by.len(), 1);
    for (approvals, want) in [("0", None), ("2", Some(2))] {
        let stage = prod(&format!("rollback: {{ by: [\"user:a\"], approvals: {approvals} }}"));
        assert_eq!(stage.rollback_approvals.map(|rule| rule.min), want);
    }
    assert_eq!(prod("after: []").after, []);
    assert_eq!(prod("group: all-prod").group.unwrap().as_str(), "all-prod");
}

#[test]
fn stages_come_in_order_of_their_upstreams() {
    let order = |stages: &str| {
        let pipeline = parsed(&with_stages(stages)).pipelines.remove(0);
        pipeline.stages.iter().map(|stage| stage.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        order(
            "      - { name: c, pins: [c], after: [b] }\n      - { name: a, pins: [a], after: [] }\n      \
             - { name: b, pins: [b], after: a }\n      - { name: d, pins: [d] }\n"
        ),
        "a b c d"
    );
    assert_eq!(
        order(
            "      - { name: x, pins: [x] }\n      - { name: y, pins: [y], after: [] }\n      - { name: z, pins: [z], after: [x, y] }\n"
        ),
        "x y z"
    );
}

#[test]
fn upstreams_and_names_are_checked() {
    let p = "pipelines[0]";
    let stages =
        "      - { name: dev, pins: [a], after: prod }\n      - { name: prod, pins: [b], after: dev }\n";
    check_error(
        &with_stages(stages),
        &format!("{p}.stages[0].after"),
        "found `dev` after `prod` after `dev`",
    );
    check_error(&with_stage("after: prod"), &format!("{p}.stages[1].after"), "found `prod` after `prod`");
    check_error(
        &with_stage("after: dex"),
        &format!("{p}.stages[1].after"),
        "found `dex`; did you mean `dev`?",
    );
    check_error(&with_stage("after: [dev, dev]"), &format!("{p}.stages[1].after[1]"), "listed twice");
    check_error(&with_stage("after: { any: [dev] }"), &format!("{p}.stages[1].after.any"), "at least two");
    check_error(&with_stage("after: { all: [dev] }"), &format!("{p}.stages[1].after.all"), "unknown");
    check_error(&with_stage("after: {}"), &format!("{p}.stages[1].after"), "`any`");
    check_error(
        &with_stage("group: dev"),
        &format!("{p}.stages[1].group"),
        "has the name of the stage in line 8",
    );
    check_error(
        &with_stage("group: prod"),
        &format!("{p}.stages[1].group"),
        "has the name of the stage in line 9",
    );
    check_error(&with_stage("group: all"), &format!("{p}.stages[1].group"), "no command uses");
    let stages = "      - { name: dev, pins: [a] }\n      - { name: dev, pins: [b] }\n";
    check_error(&with_stages(stages), &format!("{p}.stages[1]"), "taken by the stage in line 8");
    for name in ["Dev", "-dev", "dev-", "d.ev", "\"\"", "to", "until", "all"] {
        let stages = format!("      - {{ name: {name}, pins: [a] }}\n");
        check_error(&with_stages(&stages), &format!("{p}.stages[0].name"), "name");
    }
    let twice = format!("{}{}", with_stage(""), with_stage("").split_once("pipelines:\n").unwrap().1);
    check_error(&twice, "pipelines[1]", "taken by the pipeline in line 3");
}

#[test]
fn gates_are_checked() {
    let gates = "pipelines[0].stages[1].gates";
    for (keys, key, reason) in [
        ("soak: 1w", "soak", "wanted a duration"),
        ("soak: 91d", "soak", "wanted at most 90d"),
        ("soak: 30", "soak", "found the number `30`; put it in quotes"),
        ("soak: ", "soak", "found nothing"),
        ("approvals: 2", "approvals", "found the number `2`"),
        ("approvals: { min: 0 }", "approvals.min", "`merge: automatic`"),
        ("approvals: { min: 17 }", "approvals.min", "found `17`"),
        ("approvals: { major: 0 }", "approvals.major", "wanted a number from 1 to 16, found `0`"),
        ("approvals: { base-only: 17 }", "approvals.base-only", "found `17`"),
        ("approvals: { unknown: 2 }", "approvals.unknown", "unknown key"),
        ("provenance: maybe", "provenance", "wanted `true` or `false`, found the text `maybe`"),
        ("rollback_ready: 1", "rollback_ready", "wanted `true` or `false`"),
        ("policy: lnt", "policy", "wanted `lint`, found `lnt`; did you mean `lint`?"),
        ("policy: { lint: true }", "policy", "found a map"),
        ("signed: true", "signed", "it stands elsewhere: `images[].signed_by`"),
        ("platforms: [linux/amd64]", "platforms", "it stands elsewhere: `images[].platforms`"),
        ("approvals: { min: -1 }", "approvals.min", "found the number `-1`"),
        ("approvals: { min: two }", "approvals.min", "found the text `two`"),
        ("approvals: { from: [] }", "approvals.from", "empty list"),
        ("approvals: { from: [sam] }", "approvals.from[0]", "wanted `team:"),
        ("approvals: { from: [\"role:read\"] }", "approvals.from[0]", "`role:write`"),
        ("approvals: { from: [\"user:a\", \"user:a\"] }", "approvals.from[1]", "listed twice"),
        (
            "approvals: { independent: yes }",
            "approvals.independent",
            "wanted `true` or `false`, found the text `yes`",
        ),
        ("approvals: { unknown_authors: maybe }", "approvals.unknown_authors", "wanted `refuse` or `allow`"),
        ("approvals: { mni: 1 }", "approvals.mni", "did you mean `min`?"),
        ("checks: e2e", "checks", "wanted a list"),
        ("checks: [e2e, e2e]", "checks[1]", "listed twice"),
        ("checks: [lockkeeper]", "checks[0]", "waits for this gate itself"),
        ("checks: [\"\"]", "checks[0]", "visible bytes"),
        ("checks: [{ app: x }]", "checks[0]", "wanted the key `name`"),
        ("windows: {}", "windows", "did you mean `window`?"),
        ("healthy: {}", "healthy", "wanted `true` or `false`, found a map"),
    ] {
        check_error(&with_stage(&format!("gates: {{ {keys} }}")), &format!("{gates}.{key}"), reason);
    }
    let first = with_stages("      - { name: dev, pins: [a], gates: { soak: 1m } }\n");
    check_error(&first, "pipelines[0].stages[0].gates.soak", "nothing upstream");
    check_error(&with_stage("after: [], gates: { soak: 1m }"), &format!("{gates}.soak"), "nothing upstream");
    parsed(&with_stage("after: [], gates: { soak: 0s }"));
}

#[test]
fn values_of_a_stage_are_checked() {
    for (keys, key, reason) in [
        ("merge: manual", "merge", "wanted `approved` or `automatic`, found `manual`"),
        ("merge: aproved", "merge", "did you mean `approved`?"),
        ("supersede: always", "supersede", "wanted `newer` or `never`"),
        ("out_of_band: ok", "out_of_band", "wanted `refused` or `allowed`"),
        ("live: cluster", "live", "wanted `merged`, `observed` or a map"),
        ("live: 1", "live", "wanted `merged`, `observed` or a map"),
        ("live: { cluster: a, namespace: b }", "live", "wanted `selector`"),
        ("live: { cluster: a, namespace: b, selector: c=d, workloads: [Job/a] }", "live", "found both"),
        ("live: { cluster: a, namespace: B, selector: c=d }", "live.namespace", "the name of a namespace"),
        ("live: { cluster: a, namespace: b, selector: '=' }", "live.selector", "is no label selector"),
        ("live: { cluster: a, namespace: b, workloads: [Pod/a] }", "live.workloads[0]", "names no workload"),
        ("live: { cluster: a, namespace: b, workloads: [] }", "live.workloads", "at least one"),
        ("live: { namespace: b, selector: c=d }", "live", "wanted the key `cluster`"),
        ("live: observed, counts_for: 59s", "counts_for", "at least `1m`"),
        ("counts_for: 5m", "counts_for", "nothing is observed here"),
        ("gates: { healthy: true }", "gates.healthy", "nobody says how stage"),
        ("watch: { for: 1m }", "watch", "nobody says how this stage is"),
        ("live: observed, watch: 1m", "watch", "wanted a map with"),
        ("live: observed, watch: { on_failure: hold }", "watch", "wanted the key `for`"),
        ("live: observed, watch: { for: 0s }", "watch.for", "at least `1s`"),
        (
            "live: { cluster: c, namespace: n, selector: a=b }, watch: { for: 59s }",
            "watch.for",
            "at least `1m`",
        ),
        (
            "live: observed, watch: { for: 1m, on_failure: stop }",
            "watch.on_failure",
            "wanted `tell`, `hold` or `rollback`",
        ),
        ("live: observed, watch: { for: 1m, how: x }", "watch.how", "unknown key"),
        ("rollback: {}", "rollback", "wanted the key `by`"),
        ("rollback: { by: [] }", "rollback.by", "empty list"),
        (
            "rollback: { by: [\"user:a\"], approvals: 17 }",
            "rollback.approvals",
            "wanted a number from 0 to 16, found `17`",
        ),
        ("mergee: approved", "mergee", "unknown key"),
        ("after: 1", "after", "wanted a list, found the number `1`"),
    ] {
        check_error(&with_stage(keys), &format!("pipelines[0].stages[1].{key}"), reason);
    }
}

#[test]
fn pins_stay_inside_of_the_repository() {
    for pin in [
        "../a.yaml",
        "a/../b.yaml",
        "/etc/passwd",
        "a//b",
        "a/",
        "./a",
        "'a\\b'",
        ".git/config",
        "a/.GIT/x",
        "''",
        "\"a\\u202eb\"",
        "\"a\\nb\"",
        "lockkeeper.yaml",
    ] {
        let stages = format!("      - {{ name: dev, pins: [{pin}] }}\n");
        check_error(&with_stages(&stages), "pipelines[0].stages[0].pins[0]", "wanted");
    }
    let stages =
        "      - { name: dev, pins: [{ file: ../a, path: x }, { path: x }, { file: b, path: '' }, 7] }\n";
    check_error(
        &with_stages(stages),
        "pipelines[0].stages[0].pins[0].file",
        "from the root of the repository",
    );
    check_error(&with_stages(stages), "pipelines[0].stages[0].pins[1]", "wanted the key `file`");
    check_error(&with_stages(stages), "pipelines[0].stages[0].pins[2].path", "lockkeeper pins");
    check_error(&with_stages(stages), "pipelines[0].stages[0].pins[3]", "found the number `7`");
    check_error(
        &with_stages("      - { name: dev, pins: [] }\n"),
        "pipelines[0].stages[0].pins",
        "at least one file",
    );
    check_error(&with_stages("      - { name: dev }\n"), "pipelines[0].stages[0]", "wanted the key `pins`");
    parsed(&with_stages("      - { name: dev, pins: [a..b/.github/x, 'with space.yaml', .gitignore] }\n"));
}

#[test]
fn images_are_checked() {
    let image = "pipelines[0].images[0]";
    for (text, key, reason) in [
        ("{ repository: r/a }", "", "wanted the key `follow`"),
        ("{ follow: { tag: main } }", "", "wanted the key `repository`"),
        ("{ repository: R/a, follow: { tag: main } }", ".repository", "repository `R/a`"),
        ("{ repository: r/a, follow: main }", ".follow", "wanted a map"),
        ("{ repository: r/a, follow: {} }", ".follow", "`tag`, `exact`, found none"),
        ("{ repository: r/a, follow: { tag: a, semver: '*' } }", ".follow", "found `semver` and `tag`"),
        (
            "{ repository: r/a, follow: { semver: 1.2 } }",
            ".follow.semver",
            "found the number `1.2`; put it in quotes",
        ),
        ("{ repository: r/a, follow: { semver: '>>1' } }", ".follow.semver", "range `>>1`"),
        (
            "{ repository: r/a, follow: { tag: 1.10 } }",
            ".follow.tag",
            "found the number `1.10`; put it in quotes",
        ),
        ("{ repository: r/a, follow: { tag: 'a b' } }", ".follow.tag", "tag `a b`"),
        ("{ repository: r/a, follow: { calver: x } }", ".follow.calver", "format `x`"),
        ("{ repository: r/a, follow: { tag: m }, minimum_age: 1w }", ".minimum_age", "wanted a duration"),
        ("{ repository: r/a, follow: { tag: m }, signed_by: {} }", ".signed_by", "wanted a list"),
        ("{ repository: r/a, follow: { tag: m }, signed_by: [] }", ".signed_by", "at least one key"),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: { keyless: { issuer: x } } }",
            ".signed_by.keyless",
            "wanted the key `identity`",
        ),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: { keyless: { identity_regexp: x } } }",
            ".signed_by.keyless.identity_regexp",
            "not supported by this version",
        ),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: { keyless: { identity: '*', issuer: 'https://x' } } }",
            ".signed_by.keyless",
            "wanted an exact identity",
        ),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: [{ keyless: { identity: k@x, issuer: x } }] }",
            ".signed_by[0].keyless",
            "wanted the issuer as `https://…`",
        ),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: [{ issuer: x }] }",
            ".signed_by[0].issuer",
            "unknown key; wanted `keyless`",
        ),
        (
            "{ repository: r/a, follow: { tag: m }, signed_by: keys/release.pub }",
            ".signed_by",
            "wanted the name of a key under `keys`, found `keys/release.pub`",
        ),
        ("{ repository: r/a, follow: { tag: m }, platforms: [linux] }", ".platforms[0]", "platform `linux`"),
        ("{ repository: r/a, follow: { tag: m }, platforms: [a/b, a/b] }", ".platforms[1]", "listed twice"),
    ] {
        check_error(&with_image(text), &format!("{image}{key}"), reason);
    }
    let signature = format!("{{ repository: r/a, follow: {{ tag: sha256-{} }} }}", "0f".repeat(32));
    check_error(&with_image(&signature), &format!("{image}.follow.tag"), "signatures");
    let twice = "{ repository: nginx, follow: { tag: m } }, { repository: docker.io/library/nginx, follow: { tag: m } }";
    check_error(&with_image(twice), "pipelines[0].images[1]", "listed twice");
    check_error(&with_image(""), "pipelines[0].images", "at least one image");
    let never =
        with_image("{ repository: r/a, follow: { tag: m } }, { repository: r/b, follow: { tag: n } }");
    let never = never.replace("    stages", "    together: same_tag\n    stages");
    check_error(&never, "pipelines[0].together", "found `m` and `n` followed");
    parsed(&never.replace("same_tag", "any"));
    parsed(&never.replace("tag: n", "tag: m"));
}

#[test]
fn a_source_is_an_address_that_a_gate_asks_for() {
    let with = |source: &str| {
        with_image(&format!("{{ repository: r/a, follow: {{ tag: m }}, source: '{source}' }}"))
    };
    let key = "pipelines[0].images[0].source";
    check_error(&with("acme/web"), key, "wanted the address of a source repository");
    check_error(&with("https://h/a"), key, "says nothing where no stage");
    let gated = with("https://h/a").replace("dev.yaml]", "dev.yaml], gates: { provenance: true }");
    assert!(
        parsed(&gated).pipelines[0].images[0].source.as_ref().is_some_and(|found| found.is("https://h/a"))
    );
}

#[test]
fn the_keys_of_a_follow_rule_fit_each_other() {
    let with = |follow: &str| with_image(&format!("{{ repository: r/a, follow: {{ {follow} }} }}"));
    for follow in [
        "semver: '>=1', prereleases: true, allow: '^v', ignore: rc, extract: '^v(?<key>.*)$'",
        "calver: YYYY.0M.0D, ignore: beta",
        "numeric: true, extract: '^build-(?<key>[0-9]+)$'",
        "numeric: true",
        "numeric: true, allow: a1",
        "lexical: true, allow: '^release-'",
        "newest: true, ignore: '^main$'",
        "newest: true, allow: '^[0-9a-f]{7,40}$'",
        "exact: 1.4.2",
        "tag: 9f2c41a",
    ] {
        parsed(&with(follow));
    }
    for (follow, key, reason) in [
        ("numeric: false", ".numeric", "wanted `true`, found `false`"),
        ("newest: 1", ".newest", "wanted `true` or `false`"),
        ("semver: '*', prereleases: x", ".prereleases", "wanted `true` or `false`"),
        ("tag: m, allow: x", ".allow", "says nothing beside the rule"),
        ("exact: m, ignore: x", ".ignore", "says nothing beside the rule"),
        ("newest: true, extract: '(?<key>x)'", ".extract", "says nothing beside the rule"),
        ("numeric: true, prereleases: true", ".prereleases", "says nothing beside the rule"),
        ("numeric: true, allow: '('", ".allow", "expression `(`: unclosed group"),
        ("numeric: true, extract: '[0-9]+'", ".extract", "wanted a group named `key`"),
        ("lexical: true", "", "wanted `allow` or `extract` beside `lexical`"),
        ("lexical: true, allow: '^[0-9a-f]{7,40}$'", "", "keys are commits"),
        ("lexical: true, allow: '^git-'", "", "keys are commits"),
        ("lexical: true, extract: '^git-(?<key>[0-9a-f]+)$'", "", "keys are commits"),
        ("numeric: true, extract: '-(?<key>[0-9a-f]{7})$'", "", "keys are commits"),
        ("numeric: true, allow: '^[a-f0-9]{7}$'", "", "keys are commits"),
        ("pattern: x", ".pattern", "unknown key"),
    ] {
        check_error(&with(follow), &format!("pipelines[0].images[0].follow{key}"), reason);
    }
}

/// Two pipelines `one` and `two`, each with an image and a stage that pins this.
fn two(image: &str, pin: &str, other_image: &str, other_pin: &str) -> String {
    let pipeline = |name, image, pin| {
        format!(
            "  - {{ name: {name}, images: [{{ repository: {image}, follow: {{ tag: m }} }}], stages: [{{ name: s, pins: [{pin}] }}] }}\n"
        )
    };
    format!(
        "version: 1\npipelines:\n{}{}",
        pipeline("one", image, pin),
        pipeline("two", other_image, other_pin)
    )
}

#[test]
fn a_pin_belongs_to_one_stage() {
    let key = "pipelines[1].stages[0].pins[0]";
    let both =
        "belongs to stage `s` of pipeline `one` (line 3) and cannot belong to stage `s` of pipeline `two`";
    check_error(&two("r/a", "f", "r/a", "f"), key, both);
    check_error(&two("nginx", "f", "docker.io/library/nginx", "f"), key, both);
    check_error(&two("r/a", "f", "r/a", "{ file: f, path: x }"), key, both);
    check_error(&two("r/a", "{ file: f, path: x }", "r/a", "f"), key, both);
    check_error(
        &two("r/a", "{ file: f, path: x }", "r/b", "{ file: f, path: x }"),
        key,
        "`f` at `x` belongs to",
    );
    parsed(&two("r/a", "f", "r/b", "f"));
    parsed(&two("r/a", "f", "r/a", "g"));
    parsed(&two("r/a", "{ file: f, path: x }", "r/a", "{ file: f, path: y }"));
    let base = "      - { name: dev, pins: [base.yaml] }\n      - { name: prod, pins: [base.yaml] }\n";
    check_error(&with_stages(base), "pipelines[0].stages[1].pins[0]", "stage `dev` of pipeline `shop`");
    let twice = "      - { name: dev, pins: [a.yaml, a.yaml] }\n";
    check_error(&with_stages(twice), "pipelines[0].stages[0].pins[1]", "belongs to stage `dev`");
}

/// A file with these keys, and an image with this `signed_by`.
fn signed(keys: &str, signed_by: &str) -> String {
    let image = format!("{{ repository: r/a, follow: {{ tag: m }}, signed_by: {signed_by} }}");
    with_image(&image).replace("version: 1\n", &format!("version: 1\nkeys:\n{keys}"))
}

#[test]
fn keys_stand_in_the_file_and_images_name_them() {
    let pem = include_str!("../../../../tests/fixtures/signatures/key.pub");
    let block = format!("  release: |\n    {}\n", pem.trim_end().replace('\n', "\n    "));
    for signed_by in ["release", "[release]"] {
        let signers = parsed(&signed(&block, signed_by)).pipelines.remove(0).images.remove(0).signed_by;
        let [signer] = signers.keys.as_slice() else { panic!("{signers:?}") };
        assert_eq!((signer.name.as_str(), &signer.key), ("release", &pem.parse().unwrap()));
        assert!(signers.keyless.is_empty());
    }
    let kim = "{ keyless: { identity: kim@example.com, issuer: 'https://issuer.example' } }";
    for (signed_by, keys) in [(kim.to_owned(), 0), (format!("[{kim}]"), 0), (format!("[release, {kim}]"), 1)]
    {
        let signers = parsed(&signed(&block, &signed_by)).pipelines.remove(0).images.remove(0).signed_by;
        let [keyless] = signers.keyless.as_slice() else { panic!("{signers:?}") };
        assert_eq!((keyless.identity(), keyless.issuer()), ("kim@example.com", "https://issuer.example"));
        assert_eq!((signers.keys.len(), signers.is_empty()), (keys, false));
    }
    let image = "pipelines[0].images[0].signed_by";
    check_error(&signed(&block, "relaese"), image, "did you mean `release`?");
    check_error(&signed(&block, "[release, release]"), &format!("{image}[1]"), "listed twice");
    check_error(&signed(&block, "[1]"), &format!("{image}[0]"), "found the number `1`");
    check_error(&signed(&block, &format!("[{kim}, {kim}]")), &format!("{image}[1].keyless"), "listed twice");
    let again = format!("{block}{}", block.replace("release", "other"));
    check_error(&signed(&again, "release"), "keys.other", "the same key as `release`");
    let rsa = include_str!("../../../../tests/fixtures/signatures/rsa.pub").replace('\n', "\n    ");
    check_error(&signed(&format!("  old: |\n    {rsa}\n"), "old"), "keys.old", "found an RSA key");
    check_error(&signed("  old: release.pub\n", "old"), "keys.old", "a text that is no PEM");
    check_error(&signed("  Old: x\n", "old"), "keys.Old", "name `Old`");
    check_error(&signed("  1: x\n", "old"), "keys", "wanted words as keys");
    check_error(&signed("  []\n", "old"), "keys", "wanted a map");
    let many: Vec<String> = (0..65).map(|n| format!("  k{n}: x\n")).collect();
    check_error(&signed(&many.concat(), "k1"), "keys", "at most 64 entries");
}

#[test]
fn the_lint_section_is_read() {
    let lint = "lint:\n  rules: { latest-in-ci: error, missing-digest: off }\n  stages: { prod: { tag-moved: warning } }\n  \
                exemptions:\n    - { rule: latest-tag, path: 'a/**', owner: 'user:sam', reason: ' old ', expires: 2027-03-31 }\n";
    let rules = parsed(&(with_stage("") + lint)).lint;
    assert_eq!(rules.rules[&LintRule::LatestInCi], Severity::Error);
    assert_eq!(rules.rules[&LintRule::MissingDigest], Severity::Off);
    assert_eq!(rules.stages[&"prod".parse().unwrap()][&LintRule::TagMoved], Severity::Warning);
    let [exemption] = rules.exemptions.as_slice() else { panic!("{rules:?}") };
    assert_eq!((exemption.reason.as_str(), exemption.expires.to_string().as_str()), ("old", "2027-03-31"));
    assert_eq!(exemption.line, 14);
    assert_eq!(parsed(&with_stage("")).lint, LintRules::default());
}

#[test]
fn what_is_wrong_in_the_lint_section_is_named() {
    let exemption = |keys: &str| format!("exemptions: [{{ {keys} }}]");
    let full = "rule: latest-tag, image: web, owner: 'user:sam', reason: x, expires: 2027-03-31";
    for (lint, key, reason) in [
        ("rule: {}".to_owned(), "lint.rule", "did you mean `rules`?"),
        ("rules: { latest: off }".to_owned(), "lint.rules.latest", "unknown rule"),
        ("rules: { latest-tags: off }".to_owned(), "lint.rules.latest-tags", "did you mean `latest-tag`?"),
        (
            "rules: { latest-tag: info }".to_owned(),
            "lint.rules.latest-tag",
            "wanted `error`, `warning` or `off`",
        ),
        ("stages: { prd: {} }".to_owned(), "lint.stages.prd", "did you mean `prod`?"),
        (exemption("rule: latest-tag"), "lint.exemptions[0]", "wanted the key `owner`"),
        (
            exemption(&full.replace("image: web, ", "")),
            "lint.exemptions[0]",
            "wanted `path`, `image` or both",
        ),
        (exemption(&full.replace("03-31", "02-30")), "lint.exemptions[0].expires", "wanted a date"),
        (exemption(&full.replace("2027-03-31", "31.03.2027")), "lint.exemptions[0].expires", "wanted a date"),
        (
            exemption(&full.replace("user:sam", "sam")),
            "lint.exemptions[0].owner",
            "team:<organisation>/<team>",
        ),
        (
            exemption(&full.replace("reason: x", "reason: ''")),
            "lint.exemptions[0].reason",
            "a reason of one line",
        ),
        (exemption(&full.replace("image: web", "path: ../x")), "lint.exemptions[0].path", "wanted a path"),
        (exemption(&format!("{full}, until: x")), "lint.exemptions[0].until", "unknown key"),
    ] {
        check_error(&format!("{}lint: {{ {lint} }}\n", with_stage("")), key, reason);
    }
}
