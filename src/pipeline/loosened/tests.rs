use super::*;
use crate::pipeline::{Pipelines, loosened_lint, parse};

/// A pipeline whose stage `prod` has these keys, with this image.
fn pipeline(keys: &str, platforms: &str) -> Pipeline {
    let text = format!(
        "version: 1\npipelines:\n  - name: shop\n    images: [{{ repository: r/a, follow: {{ tag: m }}, platforms: [{platforms}] }}]\n    \
         stages:\n      - {{ name: dev, pins: [a] }}\n      - {{ name: qa, pins: [b] }}\n      - {{ name: prod, pins: [c], {keys} }}\n"
    );
    let Pipelines { mut pipelines, .. } =
        parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:?}"));
    pipelines.remove(0)
}

/// Checks what is looser from one set of keys to the other, and that the way back never is the same.
fn check(before: &str, after: &str, want: &[&str]) {
    let stage = |keys: &str| pipeline(keys, "").stages.remove(2);
    assert_eq!(loosened(&stage(before), &stage(after)), want, "{before} → {after}");
    assert_eq!(loosened(&stage(before), &stage(before)), [""; 0], "{before}");
}

#[test]
fn each_gate_that_gets_looser_is_named() {
    check("gates: { soak: 1d }", "gates: { soak: 23h }", &["soak shortened from 1d to 23h"]);
    check("gates: { soak: 1h }", "", &["soak shortened from 1h to 0s"]);
    check("gates: { soak: 1h }", "gates: { soak: 2h }", &[]);
    check("after: [dev, qa]", "after: [qa]", &["no longer comes after stage `dev`"]);
    check("after: [qa]", "after: [dev, qa]", &[]);
    let any = "after: { any: [dev, qa] }";
    check(
        "after: [dev, qa]",
        any,
        &["now comes after any of `dev`, `qa`, no longer after all of `dev`, `qa`"],
    );
    check("after: [dev]", any, &["now comes after any of `dev`, `qa`, no longer after all of `dev`"]);
    check("after: []", any, &[]);
    check(any, "after: [dev, qa]", &[]);
    check(any, "after: [qa]", &[]);
    check(any, "after: []", &["no longer comes after any of `dev`, `qa`"]);
    check(
        "merge: approved",
        "merge: automatic",
        &["merge changed from approved to automatic", "approvals no longer needed"],
    );
    check("merge: automatic", "merge: approved", &[]);
    let approvals = |keys: &str| format!("gates: {{ approvals: {{ {keys} }} }}");
    check(&approvals("min: 2"), &approvals("min: 1"), &["approvals lowered from 2 to 1"]);
    check(&approvals("min: 2"), "", &["approvals lowered from 2 to 1"]);
    check(&approvals("min: 1"), &approvals("min: 2"), &[]);
    let major = "approvals of a major change lowered from";
    check(&approvals("major: 3"), &approvals("major: 2"), &[&format!("{major} 3 to 2")]);
    check(&approvals("major: 2"), &approvals("major: 3"), &[]);
    check(&approvals("min: 2, major: 3"), &approvals("min: 2"), &[&format!("{major} 3 to 2")]);
    check(&approvals("min: 2"), &approvals("min: 2, major: 1"), &[&format!("{major} 2 to 1")]);
    check(&approvals("min: 2, major: 1"), &approvals("min: 2"), &[]);
    check(&approvals("min: 2, major: 1"), &approvals("min: 1, major: 2"), &["approvals lowered from 2 to 1"]);
    check(&approvals(""), &approvals("independent: false"), &["approvals of the commits' authors now count"]);
    check(&approvals(""), &approvals("unknown_authors: allow"), &["unknown authors allowed"]);
    check(&approvals("unknown_authors: allow"), &approvals(""), &[]);
    let gone = "source and commit of images need not be known any more";
    check("gates: { provenance: true }", "", &[gone]);
    check("", "gates: { provenance: true }", &[]);
    let gone = "errors of lint in the files no longer stop it";
    check("gates: { policy: lint }", "", &[gone]);
    check("", "gates: { policy: lint }", &[]);
    let gone = "the way back need not be ready any more";
    check("gates: { rollback_ready: true }", "", &[gone]);
    check("gates: { rollback_ready: true }", "gates: { rollback_ready: false }", &[gone]);
    check("", "gates: { rollback_ready: true }", &[]);
    check("", "out_of_band: allowed", &["changes out of band allowed"]);
    check("out_of_band: allowed", "", &[]);
    let window = |hours: &str| format!("gates: {{ window: {{ days: mon, hours: '{hours}', zone: UTC }} }}");
    let widened = "window widened from mon 09:00-16:00 UTC to";
    check(&window("09:00-16:00"), &window("09:00-15:59"), &[]);
    check(&window("09:00-16:00"), &window("09:00-16:01"), &[&format!("{widened} mon 09:00-16:01 UTC")]);
    check(&window("09:00-16:00"), "", &[&format!("{widened} any time")]);
    check("", &window("09:00-16:00"), &[]);
    check("", "hotfix: { by: ['user:c'] }", &["`user:c` may now ship a hotfix"]);
    check("hotfix: { by: ['user:c'] }", "", &[]);
}

#[test]
fn a_watch_that_gets_looser_is_named() {
    let watch = |keys: &str| format!("live: observed, watch: {{ {keys} }}");
    check(&watch("for: 30m"), "live: observed", &["no longer watched after a merge"]);
    check("live: observed", &watch("for: 30m, on_failure: rollback"), &[]);
    check(&watch("for: 30m"), &watch("for: 29m"), &["watch shortened from 30m to 29m"]);
    check(&watch("for: 30m"), &watch("for: 31m, on_failure: hold"), &[]);
    check(
        &watch("for: 30m, on_failure: rollback"),
        &watch("for: 30m, on_failure: hold"),
        &["what follows a watch that fails weakened from rollback to hold"],
    );
    check(
        &watch("for: 30m, on_failure: hold"),
        &watch("for: 30m"),
        &["what follows a watch that fails weakened from hold to tell"],
    );
}

#[test]
fn what_says_less_of_what_is_live_is_named() {
    let check = |before: &str, after: &str, want: &[&str]| {
        let stage = |keys: &str| pipeline(keys, "").stages.remove(2);
        assert_eq!(loosened_live(&stage(before), &stage(after)), want, "{before} → {after}");
    };
    let cluster = "live: { cluster: c, namespace: n, selector: a=b }";
    let by_nobody = "what is live in `prod` is said by merged, no more by observed";
    check("live: observed", "", &[by_nobody]);
    check("", "live: observed", &[]);
    check(
        "live: observed",
        cluster,
        &["what is live in `prod` is said by cluster c, namespace n, selector a=b, no more by observed"],
    );
    check(
        "live: observed",
        "live: observed, counts_for: 6m",
        &["an observation of `prod` counts for 6m, not for 5m"],
    );
    check("live: observed, counts_for: 6m", "live: observed", &[]);
    check("", "", &[]);
}

#[test]
fn what_lets_errors_of_lint_pass_is_named() {
    let with = |lint: &str| {
        let text = format!(
            "version: 1\npipelines:\n  - name: shop\n    images: [{{ repository: r/a, follow: {{ tag: m }} }}]\n    \
             stages:\n      - {{ name: dev, pins: [a] }}\n      - {{ name: prod, group: all-prod, pins: [c], gates: {{ policy: lint }} }}\nlint:\n  {lint}\n"
        );
        parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:?}")).pipelines.remove(0)
    };
    let exempt = |path: &str, day: &str| {
        format!(
            "exemptions: [{{ rule: latest-tag, path: {path}, owner: 'user:a', reason: x, expires: 2027-01-{day} }}]"
        )
    };
    let lighter = "lint rule `latest-tag` weighs less";
    for (before, after, want) in [
        ("rules: {}", "rules: { latest-tag: warning }", lighter),
        ("rules: { latest-tag: error }", "rules: { latest-tag: 'off' }", lighter),
        ("rules: { latest-tag: error }", "rules: {}", lighter),
        ("rules: {}", "rules: { latest-tag: error }", ""),
        ("rules: { latest-tag: warning }", "rules: { latest-tag: 'off' }", ""),
        ("rules: { latest-tag: error }", "stages: { prod: { latest-tag: warning } }", lighter),
        ("rules: { latest-tag: error }", "stages: { all-prod: { latest-tag: warning } }", lighter),
        ("rules: {}", "stages: { dev: { latest-tag: 'off' } }", ""),
        ("rules: {}", "rules: { tag-moved: 'off' }", ""),
        ("rules: {}", &exempt("a", "31"), ""),
        ("rules: {}", &exempt("c", "31"), "lint exempts `latest-tag` in `c` until 2027-01-31"),
        (&exempt("c", "30"), &exempt("c", "31"), "lint exempts `latest-tag` in `c` until 2027-01-31"),
        (&exempt("c", "31"), &exempt("c", "30"), ""),
        (&exempt("c", "31"), "rules: {}", ""),
        (&exempt("c", "31"), &exempt("'**'", "31"), "lint exempts `latest-tag` in `**` until 2027-01-31"),
    ] {
        let (before, after) = (with(before), with(after));
        let name = |stage: usize| &after.stages[stage].name;
        let found = loosened_lint(&before, &after, name(1));
        let want: Vec<&str> = Some(want).filter(|want| !want.is_empty()).into_iter().collect();
        assert_eq!(found, want, "{:?} → {:?}", before.lint, after.lint);
        assert_eq!(loosened_lint(&before, &after, name(0)), [""; 0], "no gate asks");
        let mut ungated = before.clone();
        ungated.stages[1].gates.policy = None;
        assert_eq!(loosened_lint(&ungated, &after, name(1)), [""; 0], "no gate asked before");
    }
}

#[test]
fn who_counts_and_who_may_roll_back_is_compared() {
    let from = |who: &str| format!("gates: {{ approvals: {{ from: [{who}] }} }}");
    check(&from("'team:a/b'"), &from("'team:a/b', 'user:c'"), &["approvals of `user:c` now count"]);
    check(&from("'team:a/b', 'user:c'"), &from("'team:a/b'"), &[]);
    check(&from("'team:a/b'"), "", &["approvals of `role:write` now count"]);
    check("", &from("'role:write'"), &[]);
    check("", &from("'role:admin'"), &[]);
    check(&from("'role:admin'"), &from("'role:write'"), &["approvals of `role:write` now count"]);
    check("", &from("'team:a/b'"), &["approvals of `team:a/b` now count"]);
    let by = |who: &str| format!("rollback: {{ by: [{who}] }}");
    check(&by("'team:a/b'"), &by("'team:a/c'"), &["`team:a/c` may now roll back"]);
    check(&by("'team:a/b'"), "", &["`role:write` may now roll back"]);
    check("", &by("'role:admin'"), &[]);
}

#[test]
fn checks_are_compared_with_their_app() {
    let checks = |list: &str| format!("gates: {{ checks: [{list}] }}");
    check(&checks("e2e"), "", &["check `e2e` no longer needed"]);
    check(
        &checks("{ name: e2e, app: ci }"),
        &checks("e2e"),
        &["check `e2e` need not come from `ci` any more"],
    );
    check(
        &checks("{ name: e2e, app: ci }"),
        &checks("{ name: e2e, app: other }"),
        &["check `e2e` need not come from `ci` any more"],
    );
    check(&checks("e2e"), &checks("{ name: e2e, app: ci }"), &[]);
    check(&checks("e2e"), &checks("e2e, lint"), &[]);
}

#[test]
fn platforms_of_images_are_compared() {
    let compare = |before: &str, after: &str| loosened_images(&pipeline("", before), &pipeline("", after));
    assert_eq!(
        compare("linux/amd64, linux/arm64", "linux/amd64"),
        ["platform linux/arm64 of `r/a` no longer needed"]
    );
    assert_eq!(
        compare("linux/arm64/v8", "linux/arm64"),
        ["platform linux/arm64/v8 of `r/a` no longer needed"]
    );
    assert_eq!(compare("linux/arm64", "linux/arm64/v8"), [""; 0]);
    assert_eq!(compare("", "linux/amd64"), [""; 0]);
}

#[test]
fn what_lets_more_digests_of_an_image_count_is_named() {
    let with = |image: &str| {
        let text = format!(
            "version: 1\npipelines:\n  - name: shop\n    images: [{{ repository: r/a, {image} }}]\n    \
             stages: [{{ name: dev, pins: [a], gates: {{ provenance: true }} }}]\n"
        );
        parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:?}")).pipelines.remove(0)
    };
    for (before, after, want) in [
        (
            "follow: { tag: m }, minimum_age: 2h",
            "follow: { tag: m }, minimum_age: 1h",
            "minimum age of `r/a` shortened from 2h to 1h",
        ),
        (
            "follow: { tag: m }, minimum_age: 2h",
            "follow: { tag: m }",
            "minimum age of `r/a` shortened from 2h to 0s",
        ),
        ("follow: { numeric: true, allow: '^1' }", "follow: { numeric: true }", "`allow` of `r/a` removed"),
        ("follow: { numeric: true, ignore: x }", "follow: { numeric: true }", "`ignore` of `r/a` removed"),
        (
            "follow: { semver: '*' }",
            "follow: { semver: '*', prereleases: true }",
            "pre-releases of `r/a` now count",
        ),
        (
            "follow: { tag: m }, source: 'https://h/a'",
            "follow: { tag: m }",
            "`r/a` need not come from https://h/a any more",
        ),
        ("follow: { exact: m }", "follow: { tag: m }", "tags of `r/a` may now move"),
        ("follow: { semver: '1' }", "follow: { semver: '*' }", ""),
    ] {
        let want: Vec<&str> = Some(want).filter(|want| !want.is_empty()).into_iter().collect();
        assert_eq!(loosened_images(&with(before), &with(after)), want, "{before} → {after}");
        assert_eq!(loosened_images(&with(after), &with(before)), [""; 0], "{after} → {before}");
    }
    let ignoring = |what| with(&format!("follow: {{ numeric: true, ignore: {what} }}"));
    assert_eq!(
        loosened_images(&ignoring("x"), &ignoring("y")),
        ["`ignore` of `r/a` changed from `x` to `y`"]
    );
}

#[test]
fn signers_of_images_are_compared_by_their_keys() {
    let signer =
        |name: &str, key: &str| SigningKey { name: name.parse().unwrap(), key: key.parse().unwrap() };
    let this = include_str!("../../../tests/fixtures/signatures/key.pub");
    let point = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==";
    let other = format!("-----BEGIN PUBLIC KEY-----\n{point}\n-----END PUBLIC KEY-----");
    let compare = |before: &[&SigningKey], after: &[&SigningKey]| {
        let with = |signed_by: &[&SigningKey]| {
            let mut pipeline = pipeline("", "");
            pipeline.images[0].signed_by.keys = signed_by.iter().copied().cloned().collect();
            pipeline
        };
        loosened_images(&with(before), &with(after))
    };
    let (one, two) = (signer("release", this), signer("next", &other));
    assert_eq!(compare(&[&one], &[]), ["signature of `r/a` no longer needed"]);
    assert_eq!(compare(&[], &[&one]), [""; 0]);
    assert_eq!(compare(&[&one, &two], &[&two]), [""; 0]);
    assert_eq!(compare(&[&one], &[&signer("renamed", this)]), [""; 0]);
    let id = two.key.id().short();
    let counts = |name: &str| [format!("signatures of `r/a` by key `{name}` ({id}) now count")];
    assert_eq!(compare(&[&one], &[&one, &two]), counts("next"));
    assert_eq!(compare(&[&one], &[&signer("release", &other)]), counts("release"));
}

#[test]
fn identities_that_may_sign_are_compared_as_they_stand() {
    let issuer = "https://issuer.example";
    let with = |identities: &[&str]| {
        let mut pipeline = pipeline("", "");
        let keyless = identities.iter().map(|identity| Keyless::new(identity, issuer).unwrap());
        pipeline.images[0].signed_by.keyless = keyless.collect();
        pipeline
    };
    let compare = |before: &[&str], after: &[&str]| loosened_images(&with(before), &with(after));
    assert_eq!(compare(&["kim@x"], &[]), ["signature of `r/a` no longer needed"]);
    assert_eq!(compare(&[], &["kim@x"]), [""; 0]);
    assert_eq!(compare(&["kim@x", "sam@x"], &["sam@x"]), [""; 0]);
    let want = "keyless signatures of `r/a` by `sam@x` of https://issuer.example now count";
    assert_eq!(compare(&["kim@x"], &["kim@x", "sam@x"]), [want]);
}
