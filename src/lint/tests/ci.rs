//! References in CI files, compose files, Dockerfiles and scripts.

use super::*;

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
