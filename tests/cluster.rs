//! A cluster, read from an API server that lists, watches and fails as a real one does; and from a real one, where there is one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/kubernetes/mod.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "test support: a failure is a panic"
)]
mod kubernetes;
#[path = "support/parts.rs"]
mod parts;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use lockkeeper::cluster::kubernetes::{Bounds, Kubernetes, Resource};
use lockkeeper::cluster::{Cluster, ClusterError};
use lockkeeper::image::Repository;
use lockkeeper::observation::{Health, Observation, Which, WorkloadKind, WorkloadName, Workloads};
use lockkeeper::settings::{Cluster as Settings, ClusterAccess};
use serde_json::{Value, json};

use kubernetes::{FakeApi, NAMESPACE, TOKEN, golden, schema, write_kubeconfig};

/// What takes longer than this is taken to never come.
const PATIENCE: Duration = Duration::from_mins(1);
const IMAGE: &str = "127.0.0.1:5000/checkout";

fn bounds() -> Bounds {
    Bounds {
        watch: Duration::from_secs(2),
        grace: Duration::from_secs(1),
        stale: Duration::from_mins(10),
        patience: Duration::from_secs(20),
        wait_max: Duration::from_millis(200),
        ..Bounds::default()
    }
}

fn settings(file: PathBuf) -> Settings {
    let access = ClusterAccess::Kubeconfig { file, context: None };
    Settings { name: "staging".to_owned(), access }
}

fn cluster(api: &FakeApi, bounds: Bounds) -> Kubernetes {
    Kubernetes::new(&settings(api.kubeconfig()), bounds)
}

fn workloads(which: Which) -> Workloads {
    Workloads { cluster: "staging".to_owned(), namespace: NAMESPACE.to_owned(), which }
}

fn labelled(selector: &str) -> Workloads {
    workloads(Which::Selector(selector.parse().unwrap()))
}

fn named(name: &str) -> Workloads {
    workloads(Which::Named(vec![name.parse::<WorkloadName>().unwrap()]))
}

async fn observe(cluster: &Kubernetes, workloads: &Workloads) -> Result<Observation, ClusterError> {
    let images: BTreeSet<Repository> = [IMAGE.parse().unwrap()].into();
    cluster.observe(workloads, &images).await
}

/// Asks until the answer is the one wanted.
async fn until(
    cluster: &Kubernetes,
    workloads: &Workloads,
    is_wanted: impl Fn(&Result<Observation, ClusterError>) -> bool,
) -> Result<Observation, ClusterError> {
    let mut last = None;
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let found = observe(cluster, workloads).await;
            if is_wanted(&found) {
                return found;
            }
            last = Some(found);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("still {last:?}"))
}

fn is_other(found: &Result<Observation, ClusterError>) -> bool {
    found.as_ref().is_ok_and(|found| found.health != Health::Healthy)
}

fn is_healthy(found: &Result<Observation, ClusterError>) -> bool {
    found.as_ref().is_ok_and(|found| found.health == Health::Healthy)
}

/// The rollout that a real server told of, done.
async fn shop() -> FakeApi {
    let api = FakeApi::start().await;
    for pod in golden("pods-list-running.json")["items"].as_array().unwrap() {
        api.put("pods", pod);
    }
    api.put("deployments", &deployment());
    api
}

fn deployment() -> Value {
    golden("deployment-available.json")
}

/// The same while a new image is rolled out.
fn progressing() -> Value {
    let mut deployment = deployment();
    deployment["metadata"]["generation"] = json!(9);
    deployment
}

#[test]
fn answers_of_a_real_server_fit_its_description() {
    for (file, name) in [
        ("pods-list-running.json", "io.k8s.api.core.v1.PodList"),
        ("pods-list-pending.json", "io.k8s.api.core.v1.PodList"),
        ("pods-list-page1.json", "io.k8s.api.core.v1.PodList"),
        ("deployments-list-progressing.json", "io.k8s.api.apps.v1.DeploymentList"),
        ("deployment-available.json", "io.k8s.api.apps.v1.Deployment"),
        ("deployment-deadline-exceeded.json", "io.k8s.api.apps.v1.Deployment"),
        ("statefulsets-list.json", "io.k8s.api.apps.v1.StatefulSetList"),
        ("daemonsets-list.json", "io.k8s.api.apps.v1.DaemonSetList"),
        ("cronjobs-list.json", "io.k8s.api.batch.v1.CronJobList"),
        ("error-401.json", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        ("error-403.json", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        ("error-404.json", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
    ] {
        schema::hold(name, &golden(file));
    }
    let mut wrong = golden("deployment-available.json");
    wrong["status"]["readyReplica"] = json!(1);
    assert!(std::panic::catch_unwind(|| schema::hold("io.k8s.api.apps.v1.Deployment", &wrong)).is_err());
}

/// Reads what the tests' own server answers, without a client of ours between.
async fn raw(api: &FakeApi, path: &str, token: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("http://{}{path}", api.address())).bearer_auth(token);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_tests_own_server_answers_as_the_real_one_did() {
    let api = shop().await;
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let pods = "/api/v1/namespaces/shop/pods";
    let (code, text) = raw(&api, &format!("{pods}?limit=1"), TOKEN).await;
    let (page, real) = (json(&text), golden("pods-list-page1.json"));
    assert_eq!((code, keys(&page), keys(&page["metadata"])), (200, keys(&real), keys(&real["metadata"])));
    assert_eq!(keys(&page["items"][0]), keys(&real["items"][0]));
    let (code, text) = raw(&api, pods, "another").await;
    assert_eq!((code, json(&text)), (401, golden("error-401.json")));
    api.world().forbidden.insert(("list", "deployments"));
    let (code, text) = raw(&api, "/apis/apps/v1/namespaces/shop/deployments", TOKEN).await;
    assert_eq!((code, json(&text)), (403, golden("error-403.json")));
    let (code, text) = raw(&api, "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts", TOKEN).await;
    assert_eq!((code, text.as_str()), (404, include_str!("fixtures/k8s/error-404-no-such-kind.txt")));
    let (_, text) = raw(&api, &format!("{pods}?watch=true&resourceVersion=0&timeoutSeconds=1"), TOKEN).await;
    let real = include_str!("fixtures/k8s/deployments-watch.jsonl");
    let (event, real) = (json(text.lines().next().unwrap()), json(real.lines().next().unwrap()));
    assert_eq!((keys(&event), event["object"]["kind"].as_str()), (keys(&real), Some("Pod")));
}

#[tokio::test]
async fn fifty_pipelines_share_one_watch() {
    let api = shop().await;
    let cluster = Arc::new(cluster(&api, Bounds { watch: Duration::from_mins(5), ..bounds() }));
    let asks = (0..50).map(|n| {
        let cluster = Arc::clone(&cluster);
        let workloads = if n % 2 == 0 { labelled("app=checkout") } else { labelled("app in (checkout,db)") };
        async move { observe(&cluster, &workloads).await.unwrap() }
    });
    let before = Timestamp::now();
    for found in join_all(asks).await {
        assert_eq!((found.ready, found.wanted, &found.health), (2, 2, &Health::Healthy));
        assert_eq!(found.running[&IMAGE.parse().unwrap()].len(), 1);
        assert!(found.at >= before - PATIENCE && found.at <= Timestamp::now(), "{}", found.at);
    }
    until(&cluster, &labelled("app=checkout"), |_| api.world().watches_open == 6).await.unwrap();
    for plural in ["pods", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"] {
        assert_eq!((api.asked("list", plural).len(), api.asked("watch", plural).len()), (1, 1), "{plural}");
    }
    drop(cluster);
    // Nothing is followed for nobody.
    let end = async {
        while api.world().watches_open > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, end).await.unwrap();
}

#[tokio::test]
async fn what_happens_is_told_and_a_watch_that_breaks_goes_on_where_it_was() {
    let api = shop().await;
    // The server says no place but that of the objects.
    api.world().bookmark_interval = Duration::from_mins(10);
    let cluster = cluster(&api, Bounds { watch: Duration::from_mins(5), ..bounds() });
    let checkout = named("Deployment/checkout");
    until(&cluster, &checkout, is_healthy).await.unwrap();
    cluster.changed().await;
    api.put("deployments", &progressing());
    let changed = tokio::time::timeout(PATIENCE, cluster.changed()).await.unwrap();
    assert_eq!(changed, [NAMESPACE.to_owned()].into());
    until(&cluster, &checkout, is_other).await.unwrap();
    let place = api.world_version();
    api.cut();
    api.put("deployments", &deployment());
    until(&cluster, &checkout, is_healthy).await.unwrap();
    let watches = api.asked("watch", "deployments");
    assert_eq!(watches.last().unwrap().resource_version, Some(place), "{watches:?}");
    assert_eq!(api.asked("list", "deployments").len(), 1);
    api.delete("deployments", "checkout");
    let gone = until(&cluster, &checkout, is_other).await.unwrap();
    assert_eq!(
        gone.health,
        Health::Progressing("Deployment checkout: it is not in namespace shop".to_owned())
    );
}

#[tokio::test]
async fn a_watch_that_ends_is_taken_up_from_its_last_bookmark() {
    let api = shop().await;
    let cluster = cluster(&api, Bounds { watch: Duration::from_secs(1), ..bounds() });
    let checkout = named("Deployment/checkout");
    until(&cluster, &checkout, is_healthy).await.unwrap();
    // Elsewhere the history goes on; only bookmarks tell of it.
    let pod = golden("pods-list-running.json")["items"][0].clone();
    api.put("pods", &pod);
    let place = api.world_version();
    until(&cluster, &checkout, |_| {
        api.asked("watch", "deployments").iter().any(|asked| asked.resource_version.as_ref() == Some(&place))
    })
    .await
    .unwrap();
    assert_eq!(api.asked("list", "deployments").len(), 1);
}

#[tokio::test]
async fn a_history_that_is_gone_is_listed_anew() {
    for is_event in [false, true] {
        let api = shop().await;
        api.world().is_gone_by_event = is_event;
        let cluster = cluster(&api, Bounds { watch: Duration::from_mins(5), ..bounds() });
        let checkout = named("Deployment/checkout");
        until(&cluster, &checkout, is_healthy).await.unwrap();
        let pod =
            golden("pods-list-running.json")["items"][0]["metadata"]["name"].as_str().unwrap().to_owned();
        api.delete("pods", &pod);
        api.put("deployments", &progressing());
        api.compact();
        api.cut();
        until(&cluster, &checkout, is_other).await.unwrap();
        assert_eq!(
            (api.asked("list", "deployments").len(), api.asked("list", "pods").len()),
            (2, 2),
            "{is_event}"
        );
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_named() {
    for (verb, plural, resource) in
        [("list", "pods", "pods"), ("watch", "pods", "pods"), ("list", "deployments", "deployments.apps")]
    {
        let api = shop().await;
        api.world().forbidden.insert((verb, plural));
        let cluster = cluster(&api, bounds());
        let error = until(&cluster, &named("Deployment/checkout"), Result::is_err).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cluster staging does not allow {verb} on {resource} in namespace shop; apply deploy/kubernetes/observed there"
            )
        );
        api.world().forbidden.clear();
        until(&cluster, &named("Deployment/checkout"), is_healthy).await.unwrap();
    }
}

#[tokio::test]
async fn credentials_that_were_renewed_are_found() {
    let api = shop().await;
    let cluster = cluster(&api, bounds());
    let checkout = named("Deployment/checkout");
    until(&cluster, &checkout, is_healthy).await.unwrap();
    api.world().token = "another-token".to_owned();
    api.cut();
    let error = until(&cluster, &checkout, Result::is_err).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unauthorized { .. }), "{error}");
    assert!(!error.to_string().contains(TOKEN), "{error}");
    api.write_kubeconfig("another-token");
    until(&cluster, &checkout, is_healthy).await.unwrap();
}

#[tokio::test]
async fn a_cluster_that_is_gone_is_an_error_and_comes_back() {
    let mut api = shop().await;
    let cluster = cluster(&api, bounds());
    let checkout = named("Deployment/checkout");
    until(&cluster, &checkout, is_healthy).await.unwrap();
    api.go_away();
    let error = until(&cluster, &checkout, Result::is_err).await.unwrap_err();
    let ClusterError::Unavailable { reason, last, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("refused"), "{reason}");
    assert!(last.is_some_and(|last| last <= Timestamp::now()));
    api.come_back().await;
    until(&cluster, &checkout, is_healthy).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_dead_without_a_word_is_no_truth() {
    let api = shop().await;
    let bounds = Bounds {
        watch: Duration::from_secs(1),
        stale: Duration::from_secs(3),
        patience: Duration::from_secs(2),
        ..bounds()
    };
    let cluster = cluster(&api, bounds);
    let checkout = named("Deployment/checkout");
    until(&cluster, &checkout, is_healthy).await.unwrap();
    {
        let mut world = api.world();
        world.is_silent = true;
        world.delay = Duration::from_mins(2);
    }
    let error = until(&cluster, &checkout, Result::is_err).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_slow_cluster_is_waited_for_as_long_as_patience_lasts() {
    let api = shop().await;
    api.world().delay = Duration::from_secs(3);
    let hasty = cluster(&api, Bounds { patience: Duration::from_millis(500), ..bounds() });
    let error = observe(&hasty, &named("Deployment/checkout")).await.unwrap_err();
    assert!(error.to_string().contains("it is being read"), "{error}");
    let patient = cluster(&api, bounds());
    assert!(is_healthy(&observe(&patient, &named("Deployment/checkout")).await));
}

/// Pods like the first one, of other names.
fn fill(api: &FakeApi, count: usize) {
    let pod = golden("pods-list-running.json")["items"][0].clone();
    for n in 0..count {
        let mut pod = pod.clone();
        pod["metadata"]["name"] = json!(format!("checkout-{n:05}"));
        api.put_alike("pods", pod);
    }
}

#[tokio::test]
async fn a_namespace_of_5000_pods_is_read_in_pages() {
    let api = FakeApi::start().await;
    api.put("deployments", &deployment());
    fill(&api, 5_000);
    let cluster = cluster(&api, bounds());
    let found = until(&cluster, &named("Deployment/checkout"), is_healthy).await.unwrap();
    assert_eq!(found.running[&IMAGE.parse().unwrap()].len(), 1);
    let lists = api.asked("list", "pods");
    assert!(lists.iter().all(|asked| asked.limit == Some(250)));
    assert_eq!(
        lists.iter().filter(|asked| asked.is_continued).count(),
        lists.len() * 19 / 20,
        "{}",
        lists.len()
    );
}

#[tokio::test]
async fn more_than_is_kept_is_refused() {
    let api = FakeApi::start().await;
    api.put("deployments", &deployment());
    fill(&api, 20);
    let checkout = named("Deployment/checkout");
    let check = async |bounds: Bounds, want: Option<&str>| {
        let found = until(&cluster(&api, bounds), &checkout, |found| {
            !matches!(found, Err(ClusterError::Unavailable { .. }))
        })
        .await;
        match want {
            None => assert!(found.is_ok(), "{found:?}"),
            Some(want) => assert_eq!(
                found.unwrap_err().to_string(),
                format!(
                    "namespace shop of cluster staging has more than {want}; give the stage a namespace of its own"
                )
            ),
        }
    };
    check(Bounds { objects_max: 20, ..bounds() }, None).await;
    check(Bounds { objects_max: 19, ..bounds() }, Some("19 objects of one kind")).await;
    check(Bounds { bytes_max: 20_000, ..bounds() }, Some("20000 bytes of one kind")).await;
    let cluster = cluster(&api, Bounds { objects_max: 21, ..bounds() });
    until(&cluster, &checkout, Result::is_ok).await.unwrap();
    fill(&api, 22);
    until(&cluster, &checkout, Result::is_err).await.unwrap_err();
}

#[tokio::test]
async fn what_nobody_asks_for_is_followed_no_more() {
    let api = shop().await;
    let cluster =
        cluster(&api, Bounds { watch: Duration::from_secs(1), idle: Duration::from_secs(1), ..bounds() });
    until(&cluster, &named("Deployment/checkout"), is_healthy).await.unwrap();
    // A watch ends each second, so it is quiet once none is begun anew.
    tokio::time::timeout(PATIENCE, async {
        loop {
            end_of(&api).await;
            let before = api.asked("watch", "pods").len();
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            if api.asked("watch", "pods").len() == before {
                return;
            }
        }
    })
    .await
    .unwrap();
    let lists = api.asked("list", "pods").len();
    until(&cluster, &named("Deployment/checkout"), is_healthy).await.unwrap();
    assert_eq!(api.asked("list", "pods").len(), lists + 1);
}

async fn end_of(api: &FakeApi) {
    while api.world().watches_open > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_said_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let check = async |want: &str| {
        let cluster = Kubernetes::new(&settings(file.clone()), bounds());
        let error =
            until(&cluster, &named("Deployment/checkout"), Result::is_err).await.unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        assert!(!error.contains("hidden"), "{error}");
        let version = cluster.version().await.unwrap_err().to_string();
        assert!(version.contains(want) && !version.contains("hidden"), "{version}");
    };
    check("No such file").await;
    std::fs::write(&file, "users: [{name: a, user: {token: hidden}\n  x: {").unwrap();
    check("is no kubeconfig in YAML").await;
    let exec = |command: &str, arguments: &[&str]| json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": arguments, "interactiveMode": "Never" } });
    let server = "http://127.0.0.1:1";
    write_kubeconfig(&file, server, &exec("/bin/sh", &["-c", "echo hidden; exit 3"]));
    check("failed with exit status: 3").await;
    write_kubeconfig(&file, server, &exec("/bin/sh", &["-c", "echo '{token: hidden'"]));
    check("the credentials of its kubeconfig cannot be used").await;
    write_kubeconfig(&file, server, &exec("/nowhere/at-all", &[]));
    check("does not start").await;
    // The one TLS stack of the process: a second would panic here, at the first use.
    write_kubeconfig(&file, "https://127.0.0.1:1", &json!({ "token": "hidden" }));
    check("tells nothing to go by").await;
    let access = ClusterAccess::Kubeconfig { file: file.clone(), context: Some("prod".to_owned()) };
    let cluster = Kubernetes::new(&Settings { name: "staging".to_owned(), access }, bounds());
    let error = observe(&cluster, &named("Deployment/checkout")).await.unwrap_err();
    assert!(error.to_string().contains("prod"), "{error}");
}

/// A key and a certificate for 127.0.0.1 that vouches for itself.
fn certificate(openssl: &Path, folder: &Path, name: &str) -> [PathBuf; 2] {
    let files = ["key", "pem"].map(|end| folder.join(format!("{name}.{end}")));
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
                     -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let made = Command::new(openssl)
        .args(arguments.split_whitespace())
        .arg("-keyout")
        .arg(&files[0])
        .arg("-out")
        .arg(&files[1])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    files
}

/// The process, ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// OpenSSL's own server stands for the API server's TLS, and serves the answer of a real one from a file.
#[tokio::test]
async fn tls_counts_where_the_kubeconfig_vouches_for_it() {
    let Some(openssl) = parts::part("openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let [key, good] = certificate(&openssl, folder.path(), "good");
    let [_, other] = certificate(&openssl, folder.path(), "other");
    std::fs::write(folder.path().join("version"), golden("version.json").to_string()).unwrap();
    let mut server = Command::new(&openssl)
        .args(["s_server", "-accept", "127.0.0.1:0", "-WWW", "-key"])
        .arg(&key)
        .arg("-cert")
        .arg(&good)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let server = Ended(server);
    let address = lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT ").map(str::to_owned)).unwrap();
    let file = folder.path().join("kubeconfig");
    for (authority, want) in [(&good, Ok("v1.36.2")), (&other, Err("certificate"))] {
        write_kubeconfig(&file, &format!("https://{address}"), &json!({}));
        let mut config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        config["clusters"][0]["cluster"]["certificate-authority"] = json!(authority);
        std::fs::write(&file, config.to_string()).unwrap();
        let found = Kubernetes::new(&settings(file.clone()), bounds()).version().await;
        match want {
            Ok(version) => assert_eq!(found.unwrap(), version),
            Err(reason) => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(reason), "{error}");
            }
        }
    }
    drop(server);
}

#[tokio::test]
async fn what_may_be_read_is_tried() {
    let api = shop().await;
    let cluster = cluster(&api, bounds());
    assert_eq!(cluster.version().await.unwrap(), "v1.36.2");
    assert!(cluster.may_read(NAMESPACE, Resource::Pods).await.unwrap());
    assert!(!cluster.may_read(NAMESPACE, Resource::Workload(WorkloadKind::Rollout)).await.unwrap());
    api.world().forbidden.insert(("list", "jobs"));
    let error = cluster.may_read(NAMESPACE, Resource::Workload(WorkloadKind::Job)).await.unwrap_err();
    assert!(matches!(error, ClusterError::Forbidden { verb: "list", .. }), "{error}");
}

/// Nothing is written there. `LOCKKEEPER_TEST_NAMESPACE` names what is looked at; otherwise it is `kube-system`.
#[tokio::test]
async fn a_real_cluster_is_read() {
    let Some(file) = std::env::var_os("KUBECONFIG").filter(|file| !file.is_empty()) else {
        parts::skipped("KUBECONFIG names no cluster");
        return;
    };
    let namespace = std::env::var("LOCKKEEPER_TEST_NAMESPACE").unwrap_or_else(|_| "kube-system".to_owned());
    let cluster = Kubernetes::new(&settings(PathBuf::from(file)), Bounds::default());
    let version = cluster.version().await.unwrap();
    assert!(version.starts_with('v'), "{version}");
    for resource in Resource::all() {
        cluster.may_read(&namespace, resource).await.unwrap();
    }
    // A label that nothing has, not to be there: everything.
    let which = Which::Selector("!lockkeeper.invalid/none".parse().unwrap());
    let all = Workloads { cluster: "staging".to_owned(), namespace, which };
    let found = observe(&cluster, &all).await.unwrap();
    assert_eq!(found.source, "cluster staging");
    assert!(found.ready <= found.wanted, "{found:?}");
}
