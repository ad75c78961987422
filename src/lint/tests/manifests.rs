//! References in manifests.

use super::*;

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
