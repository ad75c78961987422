use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn files(files: &[(&str, &str)]) -> Vec<(String, Found)> {
    let found =
        |(path, text): &(&str, &str)| ((*path).to_owned(), manifest::find(text.as_bytes(), &[]).unwrap());
    files.iter().map(found).collect()
}

fn kustomization(name: &str, tag: &str) -> String {
    format!("kind: Kustomization\nimages:\n  - name: {name}\n    newTag: {tag}\n    digest: {DIGEST}\n")
}

fn deployment(image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n        - name: a\n          image: {image}\n"
    )
}

/// The proposal, whose text our own reader accepts.
fn proposed(list: &[(&str, &str)]) -> Proposal {
    let proposal = propose(&files(list));
    valid_text(&proposal).unwrap();
    proposal
}

/// Each stage as `name<group(files)after`.
fn shape(pipeline: &ProposedPipeline) -> Vec<String> {
    let stage = |stage: &ProposedStage| {
        let group = stage.group.as_ref().map(|group| format!("<{group}")).unwrap_or_default();
        format!("{}{group}({}) after {}", stage.name, stage.files.join(" "), stage.after.join(" "))
    };
    pipeline.stages.iter().map(stage).collect()
}

#[test]
fn kustomize_overlays_become_stages_in_the_usual_order() {
    let (prod, dev) =
        (kustomization("r.example/shop/web", "1.4.1"), kustomization("r.example/shop/web", "1.5.0"));
    let list = [
        ("apps/web/base/deployment.yaml", "kind: Deployment\nspec: {}\n"),
        ("apps/web/overlays/prod-us/kustomization.yaml", prod.as_str()),
        ("apps/web/overlays/prod-eu/kustomization.yaml", &prod),
        ("apps/web/overlays/dev/kustomization.yaml", &dev),
        ("apps/web/overlays/staging/kustomization.yaml", &dev),
    ];
    let proposal = proposed(&list);
    assert_eq!(proposal.undecided, [""; 0]);
    assert_eq!(proposal.pipelines.len(), 1);
    let pipeline = &proposal.pipelines[0];
    assert_eq!(
        (pipeline.name.as_str(), &pipeline.follow),
        ("web", &ProposedFollow::Semver(">=1.4, <2".to_owned()))
    );
    assert_eq!(
        shape(pipeline),
        [
            "dev(apps/web/overlays/dev/kustomization.yaml) after ",
            "staging(apps/web/overlays/staging/kustomization.yaml) after dev",
            "prod-eu<prod(apps/web/overlays/prod-eu/kustomization.yaml) after staging",
            "prod-us<prod(apps/web/overlays/prod-us/kustomization.yaml) after staging",
        ]
    );
    insta::assert_snapshot!(valid_text(&proposal).unwrap());
}

#[test]
fn helm_values_per_environment_become_stages() {
    let split =
        |tag: &str, digest: &str| format!("image:\n  repository: r.example/api\n  tag: \"{tag}\"\n{digest}");
    let pinned = split("v2.1.0", &format!("  digest: {DIGEST}\n"));
    let list = [
        ("charts/api/values-dev.yaml", pinned.as_str()),
        ("charts/api/values-prod.yaml", &split("v2.0.0", "")),
    ];
    let proposal = proposed(&list);
    let pipeline = &proposal.pipelines[0];
    assert_eq!(pipeline.follow, ProposedFollow::Semver(">=2.0, <3".to_owned()));
    assert_eq!(
        shape(pipeline),
        ["dev(charts/api/values-dev.yaml) after ", "prod(charts/api/values-prod.yaml) after dev"]
    );
    assert!(pipeline.notes[0].contains("add the field `digest` there"), "{:?}", pipeline.notes);
}

#[test]
fn plain_folders_become_stages() {
    let main = deployment("r.example/web:main");
    let list = [("dev/web.yaml", main.as_str()), ("prod/web.yaml", &main), ("prod/other.yaml", &main)];
    let pipeline = proposed(&list).pipelines.remove(0);
    assert_eq!(pipeline.follow, ProposedFollow::Tag("main".to_owned()));
    assert_eq!(
        shape(&pipeline),
        ["dev(dev/web.yaml) after ", "prod(prod/other.yaml prod/web.yaml) after dev"]
    );
    assert!(pipeline.notes[0].contains("adds it"), "{:?}", pipeline.notes);
}

#[test]
fn tags_with_an_order_of_their_own_are_followed_by_it() {
    for (dev, prod, want) in [
        ("2026.01.05", "2026.01.02", ProposedFollow::Calver("YYYY.0M.0D".to_owned())),
        ("20260102-143022", "20260101-091500", ProposedFollow::Calver("YYYYMMDD-hhmmss".to_owned())),
        ("build-4567", "build-99", ProposedFollow::Numeric("build-".to_owned())),
        ("9f2c41a", "9f2c41a", ProposedFollow::Tag("9f2c41a".to_owned())),
        ("v1", "v1", ProposedFollow::Tag("v1".to_owned())),
    ] {
        let (dev, prod) =
            (deployment(&format!("r.example/web:{dev}")), deployment(&format!("r.example/web:{prod}")));
        let proposal = proposed(&[("dev/web.yaml", dev.as_str()), ("prod/web.yaml", prod.as_str())]);
        assert_eq!(proposal.pipelines[0].follow, want);
        assert_eq!(proposal.undecided.is_empty(), !dev.contains("9f2c41a"), "{:?}", proposal.undecided);
        assert!(valid_text(&proposal).is_ok());
    }
}

#[test]
fn a_base_that_stages_share_is_explained_and_not_guessed() {
    let base = deployment("r.example/web:1.0.0");
    let list = [
        ("web/base/deployment.yaml", base.as_str()),
        ("web/overlays/dev/kustomization.yaml", "kind: Kustomization\nresources: [../../base]\n"),
        ("web/overlays/prod/kustomization.yaml", "kind: Kustomization\nresources: [../../base]\n"),
    ];
    let proposal = propose(&files(&list));
    assert_eq!(proposal.pipelines, []);
    assert!(
        proposal.undecided[0]
            .contains("web/base/deployment.yaml:8 names `r.example/web` and is shared by `dev`, `prod`")
    );
    assert!(proposal.undecided[0].contains("Give each its own"), "{:?}", proposal.undecided);

    let over = kustomization("r.example/web", "1.0.0");
    let list = [
        list[0],
        ("web/overlays/dev/kustomization.yaml", &over),
        ("web/overlays/prod/kustomization.yaml", &over),
    ];
    let proposal = proposed(&list);
    assert_eq!(proposal.pipelines.len(), 1);
    assert!(proposal.undecided[0].contains("so this place is left alone"), "{:?}", proposal.undecided);
}

#[test]
fn what_cannot_be_decided_is_said() {
    let one = deployment("r.example/cache:7");
    let commit = deployment("r.example/job:main-9f2c41a");
    let bare = deployment("r.example/bare");
    let list = [
        ("job.yaml", commit.as_str()),
        ("tool.yaml", one.as_str()),
        ("tools/tool.yaml", &one),
        ("envs/dev/cache.yaml", &one),
        ("envs/dev/job.yaml", &commit),
        ("envs/prod/job.yaml", &commit),
        ("envs/dev/bare.yaml", &bare),
        ("envs/prod/bare.yaml", &bare),
    ];
    let undecided = proposed(&list).undecided.join("\n");
    for part in [
        "tool.yaml:8 (and one more place) names `r.example/cache` and is in no environment's folder",
        "`r.example/cache` is pinned for one kind of environment only (dev)",
        "pipeline `job`: its tags (`main-9f2c41a`, …) have no order that can be told",
        "pipeline `bare`: no tag is pinned anywhere",
    ] {
        assert!(undecided.contains(part), "{part} in {undecided}");
    }
}

#[test]
fn names_are_unique_and_stages_of_one_kind_have_a_group_or_a_word_why_not() {
    let (one, other) = (deployment("r.example/a/web:1.0.0"), deployment("r.example/b/web:1.0.0"));
    let both = format!("{one}---\n{other}");
    let list =
        [("envs/dev/x.yaml", both.as_str()), ("envs/prod/x.yaml", &both), ("envs/prod-eu/x.yaml", &both)];
    let proposal = proposed(&list);
    let names: Vec<&str> = proposal.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["web", "b-web"]);
    let notes = proposal.pipelines[0].notes.join("\n");
    assert!(notes.contains("prod and prod-eu have no group"), "{notes}");
    assert!(notes.contains("`b-web` pins the same files"), "{notes}");
}

#[test]
fn a_stage_takes_at_most_64_files() {
    let text = deployment("r.example/web:1.0.0");
    for (count, pipelines) in [(64, 1), (65, 0)] {
        let names: Vec<String> = (0..count).map(|n| format!("envs/dev/{n}.yaml")).collect();
        let mut list: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
        list.push(("envs/prod/x.yaml", &text));
        let proposal = proposed_or_empty(&list);
        assert_eq!(proposal.pipelines.len(), pipelines, "{count}");
        assert_eq!(proposal.undecided.len(), 1 - pipelines, "{:?}", proposal.undecided);
    }
}

fn proposed_or_empty(list: &[(&str, &str)]) -> Proposal {
    let proposal = propose(&files(list));
    if !proposal.pipelines.is_empty() {
        valid_text(&proposal).unwrap();
    }
    proposal
}

#[test]
fn odd_names_are_quoted() {
    let text = deployment("localhost:5000/0web:yes");
    let list = [
        ("envs/dev/a b: #c.yaml", text.as_str()),
        ("envs/prod/'\"x.yaml", &text),
        ("envs/qa/true.yaml", &text),
    ];
    assert_eq!(proposed(&list).pipelines[0].name, "0web");
}

#[test]
fn the_file_is_written_once_and_never_over_another() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let args = |dry_run, force| Args { path: root.to_owned(), dry_run, force };
    let exit = |result: Outcome| result.unwrap_or_else(|error| error.exit);
    assert_eq!(exit(run(&Args { path: root.join("missing"), dry_run: false, force: false })), Exit::NotFound);
    assert_eq!(exit(run(&args(false, false))), Exit::Negative);
    for stage in ["dev", "prod"] {
        fs::create_dir(root.join(stage)).unwrap();
        fs::write(root.join(stage).join("web.yaml"), deployment("r.example/web:1.0.0")).unwrap();
        fs::write(root.join(stage).join("template.yaml"), "{{ x }}: {{\n").unwrap();
    }
    let file = root.join(FILE_NAME);
    assert_eq!(exit(run(&args(true, false))), Exit::Ok);
    assert!(!file.exists());
    assert_eq!(exit(run(&args(false, false))), Exit::Ok);
    let first = fs::read(&file).unwrap();
    assert_eq!(parse(&first).unwrap().pipelines[0].stages.len(), 2);
    assert_eq!(exit(run(&args(false, false))), Exit::Ok);
    fs::write(&file, "mine").unwrap();
    assert_eq!(exit(run(&args(false, false))), Exit::Refused);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(exit(run(&args(false, true))), Exit::Ok);
    assert_eq!(fs::read(&file).unwrap(), first);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(exit(run(&args(false, true))), Exit::Refused);
}
