use super::*;

fn one(script: &str) -> Deletes {
    let found = purges(script);
    assert_eq!(found.len(), 1, "{script}: {found:?}");
    found.into_iter().next().unwrap().deletes
}

/// Whether the first filter takes the tag of the repository.
fn takes(script: &str, repository: &str, tag: &str) -> bool {
    let Deletes::Matching { filters, tags, .. } = one(script) else { panic!("{script}") };
    let taken = filters
        .iter()
        .flatten()
        .any(|filter| filter.takes(&repository.parse().unwrap(), &tag.parse().unwrap()));
    tags && taken
}

#[test]
fn purges_are_found_wherever_a_script_keeps_them() {
    for script in [
        "acr purge --filter 'web:.*' --untagged --ago 30d",
        "az acr run --registry r \\\n  --cmd \"acr purge --filter 'web:.*' --untagged --ago 30d\" /dev/null",
        "PURGE=\"acr purge --filter 'web:.*' --untagged --ago 30d\"",
        "docker run mcr.microsoft.com/acr/acr-cli purge --filter=web:.* --untagged=true --ago 30d",
        "  - cmd: acr purge --filter 'web:.*' --untagged --ago 30d",
    ] {
        let Deletes::Matching { tags: true, untagged: true, locked: false, .. } = one(script) else {
            panic!("{script}")
        };
        assert!(takes(script, "r.azurecr.io/web", "1.4.2"), "{script}");
        assert!(!takes(script, "r.azurecr.io/shop/web", "1.4.2"), "{script}");
    }
    for harmless in [
        "# acr purge --filter 'web:.*'",
        "echo done",
        "acr purge --filter 'web:.*' --ago 1d --dry-run",
        "az acr config retention update --registry r --status disabled",
        "az acr repository show --name r --image web:1",
        "",
    ] {
        assert_eq!(purges(harmless), [], "{harmless}");
    }
}

#[test]
fn filters_take_what_they_say() {
    let kept = r"acr purge --filter 'shop/web\.api:^(?!(1\.4\.2|sha256-0a(\.(sig|att|sbom))?)$).*' --ago 30d";
    assert!(!takes(kept, "r.azurecr.io/shop/web.api", "1.4.2"));
    assert!(takes(kept, "r.azurecr.io/shop/web.api", "1.4.1"));
    assert!(!takes(kept, "r.azurecr.io/shop/web-api", "1.4.1"));
    assert!(!takes("acr purge --filter '.*:.*' --untagged-only --ago 7d", "r.azurecr.io/web", "1"));
    assert!(takes("acr purge --filter 'web:^dev-' --filter 'web:^1' --ago 7d", "r.azurecr.io/web", "1"));
    let Deletes::Matching { filters, .. } = one("acr purge --filter 'web:(?<!x)1' --ago 7d") else {
        panic!()
    };
    assert_eq!(filters, [None], "an expression that is not known here");
}

#[test]
fn single_images_and_retention_are_told() {
    for (script, want) in [
        ("skopeo delete docker://r.example/web:1", "r.example/web:1"),
        ("skopeo --debug delete --authfile auth.json docker://r.example/web", "r.example/web:latest"),
        ("crane delete --insecure r.example/web:1", "r.example/web:1"),
        ("/usr/local/bin/crane delete --platform linux/amd64 r.example/web:1", "r.example/web:1"),
        ("regctl tag rm r.example/web:1", "r.example/web:1"),
        ("regctl manifest delete r.example/web:1", "r.example/web:1"),
        ("oras manifest delete --force r.example/web:1", "r.example/web:1"),
        ("gcloud container images delete r.example/p/web:1 --quiet", "r.example/p/web:1"),
        ("gcloud artifacts docker tags delete r.example/p/web:1", "r.example/p/web:1"),
        ("gcloud artifacts docker images delete r.example/p/web:1 --project p", "r.example/p/web:1"),
        ("az acr repository untag -n acme --image web:1", "acme.azurecr.io/web:1"),
        ("az acr manifest delete -r acme -n web:1 --yes", "acme.azurecr.io/web:1"),
        ("az acr manifest delete acme.azurecr.io/web:1", "acme.azurecr.io/web:1"),
        (
            "if true; then az acr repository delete --name acme.azurecr.cn -t web:1; fi",
            "acme.azurecr.cn/web:1",
        ),
    ] {
        let want = want.parse::<crate::image::Reference>().unwrap();
        let part = Part::Tag(want.tag.unwrap());
        assert_eq!(
            one(script),
            Deletes::Targets(vec![Target { place: Place::Repository(want.repository), part }]),
            "{script}"
        );
    }
    assert_eq!(one("az acr config retention update -r a --status enabled --days 7"), Deletes::AllUntagged);
    assert_eq!(one("acr purge --untagged-only --ago 7d"), Deletes::AllUntagged);
    assert_eq!(purges("x\n\nskopeo delete docker://r.example/web:1")[0].line, 3);
}

#[test]
fn digests_several_and_whole_repositories_are_told() {
    let digest = crate::image::Digest::of(b"web");
    let targets = |script: &str| {
        let Deletes::Targets(targets) = one(script) else { panic!("{script}") };
        targets
    };
    for script in [
        "az acr repository delete --name acme --repository web --yes",
        "gcloud artifacts docker images delete acme.azurecr.io/web --delete-tags",
        "aws ecr delete-repository --force --repository-name web",
    ] {
        let found = targets(script);
        assert_eq!(found.len(), 1, "{script}");
        assert_eq!(found[0].part, Part::All, "{script}");
        assert!(found[0].place.is(&"acme.azurecr.io/web".parse().unwrap()), "{script}");
        assert!(!found[0].place.is(&"acme.azurecr.io/shop/web".parse().unwrap()), "{script}");
    }
    let script = format!(
        "aws --region r ecr batch-delete-image --repository-name shop/web --image-ids imageTag=1 imageDigest={digest} --no-cli-pager"
    );
    let parts: Vec<Part> = targets(&script).into_iter().map(|target| target.part).collect();
    assert_eq!(parts, [Part::Tag("1".parse().unwrap()), Part::Digest(digest)]);
    assert_eq!(targets("gcloud container images delete r.example/p/web:1 r.example/p/web:2 -q").len(), 2);
    assert_eq!(targets(&format!("crane delete r.example/web:1@{digest}"))[0].part, Part::Digest(digest));
}

#[test]
fn what_only_the_shell_knows_is_no_all_clear() {
    for script in [
        "skopeo delete docker://$REG/web:$TAG",
        "skopeo delete \"$IMAGE\"",
        "crane delete r.example/web:$(crane ls r.example/web | head -n1)",
        "crane delete r.example/web:`head -n1 old`",
        "crane ls r.example/web | xargs -I TAG crane delete r.example/web:TAG",
        "crane delete",
        "regctl image delete ${REG}/web@sha256:0",
        "oras blob delete r.example/web@sha256:0",
        "az acr repository delete --name $R --image web:1",
        "az acr repository delete --name acme --image web:$T",
        "az acr repository delete --name acme --repository \"$R\"",
        "az acr repository delete $ARGS",
        "az acr repository delete --image web:1",
        "az acr manifest delete --registry acme --name web@$D",
        "az acr config retention update -r a --status $S",
        "az acr delete --name acme --yes",
        "aws ecr batch-delete-image --repository-name web --image-ids \"$(cat ids.json)\"",
        "aws ecr batch-delete-image --repository-name web --image-ids imageTag=$T",
        "aws ecr batch-delete-image --repository-name $N --image-ids imageTag=1",
        "aws ecr batch-delete-image --cli-input-json file://ids.json",
        "aws ecr put-lifecycle-policy --repository-name web --lifecycle-policy-text file://p.json",
        "gcloud artifacts docker images delete $IMAGE",
        "gcloud artifacts repositories delete shop --location l",
        "gcloud artifacts versions delete 1 --package web",
        "acr purge --ago 7d",
        "curl -X DELETE https://r.example/v2/web/manifests/sha256:0",
    ] {
        assert_eq!(one(script), Deletes::Unclear, "{script}");
    }
    for script in [
        "acr purge --filter \"$REPO:.*\" --ago 7d",
        "acr purge --filter \"web:$(cat tags)\" --ago 7d",
        "acr purge --filter web:`cat tags` --ago 7d",
        "acr purge --filter 'web:{{ .Values.old }}' --ago 7d",
        "acr purge $FILTERS --filter 'web:(?<!x)1' --ago 7d",
        "az acr run --cmd \"acr purge --filter '$REPO:.*' --ago 7d\" /dev/null",
    ] {
        let Deletes::Matching { filters, .. } = one(script) else { panic!("{script}") };
        assert!(filters.iter().all(Option::is_none), "{script}: {filters:?}");
    }
    let Deletes::Matching { filters, untagged: true, .. } =
        one("acr purge --filter 'web:^1$' --ago $DAYS --untagged=$ALL")
    else {
        panic!()
    };
    assert!(filters.iter().all(Option::is_some), "{filters:?}");
    for harmless in [
        "az acr webhook delete -r a -n hook",
        "gcloud container clusters delete c",
        "aws s3 rm s3://b",
        "crane ls r.example/web",
        "curl -X DELETE https://r.example/x",
    ] {
        assert_eq!(purges(harmless), [], "{harmless}");
    }
}
