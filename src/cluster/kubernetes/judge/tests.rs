use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::image::Digest;
use crate::observation::WorkloadName;

const AT: &str = "2026-11-21T02:00:00Z";
const DIGEST: &str = "sha256:51b0c7d2e9f451b0c7d2e9f451b0c7d2e9f451b0c7d2e9f451b0c7d2e9f45100";

/// An answer of a real API server.
fn golden(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/k8s").join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn read(value: &Value) -> Vec<Arc<Object>> {
    let all = value["items"].as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    all.into_iter().map(|value| Arc::new(serde_json::from_value(value).unwrap())).collect()
}

fn kind(kind: &str) -> Resource {
    match kind {
        "Pod" => Resource::Pods,
        kind => {
            Resource::Workload(WorkloadKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap())
        }
    }
}

fn seen(found: &[(&str, Value)]) -> Seen {
    let mut seen = Seen::default();
    for (name, value) in found {
        seen.put("shop", kind(name), read(value));
    }
    seen
}

fn named(names: &[&str]) -> Workloads {
    let names: Vec<WorkloadName> = names.iter().map(|name| name.parse().unwrap()).collect();
    Workloads { cluster: "staging".to_owned(), namespace: "shop".to_owned(), which: Which::Named(names) }
}

fn selected(selector: &str) -> Workloads {
    Workloads { which: Which::Selector(selector.parse().unwrap()), ..named(&[]) }
}

fn look(seen: &Seen, workloads: &Workloads, image: &str) -> Observation {
    observation(seen, workloads, &[image.parse().unwrap()].into(), AT.parse().unwrap())
}

/// `ready/wanted word: reasons`.
fn brief(observation: &Observation) -> String {
    let word = match &observation.health {
        Health::Healthy => "healthy".to_owned(),
        Health::Progressing(why) => format!("progressing: {why}"),
        Health::Degraded(why) => format!("degraded: {why}"),
    };
    format!("{}/{} {word}", observation.ready, observation.wanted)
}

fn digests(observation: &Observation) -> Vec<String> {
    let all = observation.running.iter();
    all.flat_map(|(image, found)| found.iter().map(move |digest| format!("{image}@{digest}"))).collect()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// An object of this kind, of generation 2 that was seen, with this laid over it.
fn object(name: &str, over: Value) -> Value {
    let mut object = json!({
        "metadata": { "name": name, "generation": 2 },
        "spec": { "selector": { "matchLabels": { "app": name } } },
        "status": { "observedGeneration": 2 },
    });
    merge(&mut object, over);
    object
}

#[test]
fn what_a_real_server_tells_of_a_deployment_is_judged() {
    let check = |file: &str, pods: &str, want: &str, runs: bool| {
        let seen = seen(&[("Deployment", golden(file)), ("Pod", golden(pods))]);
        for workloads in [named(&["Deployment/checkout"]), selected("app=checkout")] {
            let found = look(&seen, &workloads, "127.0.0.1:5000/checkout");
            assert!(brief(&found).starts_with(want), "{file}: {}", brief(&found));
            let wanted = if runs { vec![format!("127.0.0.1:5000/checkout@{DIGEST}")] } else { Vec::new() };
            assert_eq!(digests(&found), wanted, "{file}");
            assert_eq!((found.source.as_str(), found.at), ("cluster staging", AT.parse().unwrap()));
        }
    };
    check("deployment-available.json", "pods-list-running.json", "2/2 healthy", true);
    check(
        "deployments-list-progressing.json",
        "pods-list-pending.json",
        "0/2 progressing: Deployment checkout: ",
        false,
    );
    let exceeded = "1/2 degraded: Deployment checkout: its progress deadline is exceeded: ReplicaSet \"checkout-6b48cc8bf\" has";
    check(
        "deployment-deadline-exceeded.json",
        "pods-list-running.json",
        exceeded.replace("1/2", "0/2").as_str(),
        true,
    );
}

#[test]
fn each_watch_event_of_a_real_rollout_is_judged() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/k8s/deployments-watch.jsonl");
    let mut words = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let found =
            look(&seen(&[("Deployment", event["object"].clone())]), &named(&["Deployment/checkout"]), "web");
        words.push(brief(&found).split(':').next().unwrap().split(' ').nth(1).unwrap().to_owned());
    }
    words.dedup();
    assert_eq!(words, ["progressing", "healthy", "progressing", "degraded"]);
}

#[test]
fn a_deployment_is_judged_as_kubectl_does() {
    let done = json!([
        { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
        { "type": "Available", "status": "True" },
    ]);
    let down = json!([
        { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
        { "type": "Available", "status": "False" },
    ]);
    let check = |over: Value, want: &str| {
        let found = look(&seen(&[("Deployment", object("web", over))]), &named(&["Deployment/web"]), "web");
        assert_eq!(brief(&found), want.replace("WEB", "Deployment web"));
    };
    let status = |replicas: i64, updated: i64, available: i64, conditions: &Value| {
        json!({ "spec": { "replicas": 3 }, "status": { "replicas": replicas, "updatedReplicas": updated,
            "availableReplicas": available, "conditions": conditions } })
    };
    check(status(3, 3, 3, &done), "3/3 healthy");
    check(status(4, 1, 3, &Value::Null), "0/3 progressing: WEB: 1 of 3 are updated");
    check(status(4, 3, 4, &Value::Null), "3/3 progressing: WEB: 1 of the old ones are to end");
    check(status(3, 3, 2, &done), "2/3 progressing: WEB: 2 of 3 are available");
    check(status(3, 3, 1, &down), "1/3 degraded: WEB: 1 of 3 are available");
    let mut paused = status(4, 1, 3, &Value::Null);
    merge(&mut paused, json!({ "spec": { "paused": true } }));
    check(paused, "0/3 progressing: WEB: it is paused, 1 of 3 are updated");
    let mut unseen = status(3, 3, 3, &done);
    merge(&mut unseen, json!({ "metadata": { "generation": 3 } }));
    check(unseen, "3/3 progressing: WEB: its controller has not seen the change yet");
    check(json!({ "spec": { "replicas": 0 } }), "0/0 healthy");
    check(json!({}), "0/1 progressing: WEB: 0 of 1 are updated");
}

#[test]
fn a_stateful_set_is_judged_as_kubectl_does() {
    let check = |over: Value, pods: Value, want: &str| {
        let mut stateful = object("db", json!({ "spec": { "replicas": 3 } }));
        merge(&mut stateful, over);
        let seen = seen(&[("StatefulSet", stateful), ("Pod", pods)]);
        let found = look(&seen, &named(&["StatefulSet/db"]), "db");
        assert_eq!(brief(&found), want.replace("DB", "StatefulSet db"));
    };
    let status = |ready: i64, updated: i64, revisions: [&str; 2]| {
        json!({ "status": { "replicas": 3, "readyReplicas": ready, "availableReplicas": ready,
            "updatedReplicas": updated, "currentRevision": revisions[0], "updateRevision": revisions[1] } })
    };
    let none = || json!({ "items": null });
    check(status(3, 3, ["a", "a"]), none(), "3/3 healthy");
    check(status(2, 1, ["a", "b"]), none(), "0/3 progressing: DB: 2 of 3 are ready");
    check(status(3, 1, ["a", "b"]), none(), "1/3 progressing: DB: 1 of 3 are updated");
    check(status(3, 3, ["a", "b"]), none(), "3/3 progressing: DB: 3 of 3 are updated");
    for (partition, want) in [(2, "1/3 healthy"), (1, "1/3 progressing: DB: 1 of 2 are updated")] {
        let mut partitioned = status(3, 1, ["a", "b"]);
        merge(
            &mut partitioned,
            json!({ "spec": { "updateStrategy": { "rollingUpdate": { "partition": partition } } } }),
        );
        check(partitioned, none(), want);
    }
    let mut by_hand = status(3, 1, ["a", "b"]);
    merge(&mut by_hand, json!({ "spec": { "updateStrategy": { "type": "OnDelete" } } }));
    check(by_hand, none(), "1/3 progressing: DB: 2 are to be deleted by hand (OnDelete)");
    for (restarts, want) in [
        (4, "0/3 progressing: DB: 2 of 3 are ready; web of pod db-0: CrashLoopBackOff"),
        (5, "0/3 degraded: DB: web of pod db-0 crashed 5 times"),
    ] {
        let pod = json!({ "metadata": { "name": "db-0", "labels": { "app": "db", "controller-revision-hash": "b" } },
            "status": { "containerStatuses": [{ "name": "web", "restartCount": restarts,
                "state": { "waiting": { "reason": "CrashLoopBackOff" } } }] } });
        check(status(2, 1, ["a", "b"]), pod, want);
    }
    let real =
        look(&seen(&[("StatefulSet", golden("statefulsets-list.json"))]), &named(&["StatefulSet/db"]), "db");
    assert_eq!(brief(&real), "0/1 progressing: StatefulSet db: 0 of 1 are ready");
}

#[test]
fn a_daemon_set_is_judged_as_kubectl_does() {
    let check = |updated: i64, available: i64, kind: &str, want: &str| {
        let over = json!({ "spec": { "updateStrategy": { "type": kind } }, "status": { "desiredNumberScheduled": 4,
            "currentNumberScheduled": 4, "updatedNumberScheduled": updated, "numberAvailable": available } });
        let found =
            look(&seen(&[("DaemonSet", object("agent", over))]), &named(&["DaemonSet/agent"]), "agent");
        assert_eq!(brief(&found), want.replace("AGENT", "DaemonSet agent"));
    };
    check(4, 4, "RollingUpdate", "4/4 healthy");
    check(3, 4, "RollingUpdate", "3/4 progressing: AGENT: 3 of 4 are updated");
    check(4, 3, "RollingUpdate", "3/4 progressing: AGENT: 3 of 4 are available");
    check(3, 4, "OnDelete", "3/4 progressing: AGENT: 1 are to be deleted by hand (OnDelete)");
    let real =
        look(&seen(&[("DaemonSet", golden("daemonsets-list.json"))]), &named(&["DaemonSet/agent"]), "agent");
    assert_eq!(brief(&real), "0/0 healthy");
}

fn job(name: &str, made: &str, condition: &str) -> Value {
    json!({
        "metadata": { "name": name, "creationTimestamp": made, "labels": { "app": "train" },
            "ownerReferences": [{ "kind": "CronJob", "name": "train", "controller": true }] },
        "spec": { "selector": { "matchLabels": { "job": name } } },
        "status": { "conditions": [{ "type": condition, "status": "True", "message": "BackoffLimitExceeded" }] },
    })
}

fn ended_pod(job: &str, digest: &str) -> Value {
    json!({
        "metadata": { "name": format!("{job}-x"), "labels": { "job": job, "app": "train" } },
        "spec": { "containers": [{ "name": "t", "image": "train:1" }] },
        "status": { "containerStatuses": [{ "name": "t", "imageID": format!("docker.io/library/train@{digest}"),
            "state": { "terminated": { "exitCode": 0 } } }] },
    })
}

#[test]
fn what_ends_is_judged_by_how_it_ended() {
    let check = |over: Value, want: &str| {
        let found = look(&seen(&[("Job", object("migrate", over))]), &named(&["Job/migrate"]), "migrate");
        assert_eq!(brief(&found), want.replace("JOB", "Job migrate"));
    };
    let condition = |kind: &str| json!({ "status": { "conditions": [{ "type": kind, "status": "True", "message": "no more tries" }] } });
    let jobs = |over: Value| {
        // Jobs say no observedGeneration.
        let mut over = over;
        merge(&mut over, json!({ "status": { "observedGeneration": null } }));
        over
    };
    check(jobs(condition("Complete")), "1/1 healthy");
    check(jobs(condition("Failed")), "0/1 degraded: JOB: it failed: no more tries");
    check(
        jobs(json!({ "spec": { "completions": 3 }, "status": { "succeeded": 1 } })),
        "1/3 progressing: JOB: 1 of 3 are complete",
    );
    check(jobs(json!({ "spec": { "suspend": true } })), "0/1 progressing: JOB: it is suspended");
}

#[test]
fn a_cron_job_is_judged_by_its_last_run_that_ended() {
    let digest = |n: u8| Digest::of(&[n]).to_string();
    let cron = golden("cronjobs-list.json");
    let check = |jobs: Vec<Value>, cron: &Value, want: &str, runs: &[String]| {
        let pods = json!({ "items": [ended_pod("a", &digest(1)), ended_pod("b", &digest(2))] });
        let seen = seen(&[("CronJob", cron.clone()), ("Job", json!({ "items": jobs })), ("Pod", pods)]);
        let found = look(&seen, &named(&["CronJob/train"]), "train");
        assert_eq!(brief(&found), want.replace("CRON", "CronJob train"));
        let runs: Vec<String> = runs.iter().map(|digest| format!("train@{digest}")).collect();
        assert_eq!(digests(&found), runs);
    };
    let first = |condition| job("a", "2026-11-21T01:00:00Z", condition);
    let second = |condition| job("b", "2026-11-21T02:00:00Z", condition);
    check(vec![], &cron, "0/0 healthy", &[]);
    check(vec![first("Complete")], &cron, "0/0 healthy", &[digest(1)]);
    check(vec![first("Failed"), second("Complete")], &cron, "0/0 healthy", &[digest(2)]);
    let failed = "0/0 degraded: CRON: its last run b: it failed: BackoffLimitExceeded";
    check(vec![first("Complete"), second("Failed")], &cron, failed, &[digest(2)]);
    check(vec![first("Suspended")], &cron, "0/0 progressing: CRON: its first run is under way", &[digest(1)]);
    check(vec![first("Complete"), second("Suspended")], &cron, "0/0 healthy", &[digest(2)]);
    let mut suspended = cron.clone();
    suspended["items"][0]["spec"]["suspend"] = json!(true);
    check(vec![second("Failed")], &suspended, "0/0 healthy", &[digest(2)]);
}

#[test]
fn an_argo_rollout_is_judged_as_its_controller_does() {
    let check = |status: Value, want: &str| {
        let over = json!({ "spec": { "replicas": 2 }, "status": status });
        let found = look(&seen(&[("Rollout", object("web", over))]), &named(&["Rollout/web"]), "web");
        assert_eq!(brief(&found), want.replace("WEB", "Rollout web"));
    };
    let all =
        json!({ "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "observedGeneration": "2" });
    let with = |over: Value| {
        let mut status = all.clone();
        merge(&mut status, over);
        status
    };
    check(with(json!({ "phase": "Healthy" })), "2/2 healthy");
    check(
        with(json!({ "phase": "Healthy", "observedGeneration": "1" })),
        "2/2 progressing: WEB: its controller has not seen the change yet",
    );
    check(with(json!({ "phase": "Healthy", "observedGeneration": "6d5f7c" })), "2/2 healthy");
    check(
        with(json!({ "phase": "Degraded", "message": "analysis\nfailed" })),
        "2/2 degraded: WEB: its phase is Degraded: analysis failed",
    );
    check(
        with(json!({ "phase": "Paused", "message": "CanaryPauseStep" })),
        "2/2 progressing: WEB: it is paused: CanaryPauseStep",
    );
    check(with(json!({ "phase": "Progressing", "abort": true })), "2/2 degraded: WEB: it is aborted: ");
    check(json!({}), "0/2 progressing: WEB: its controller says nothing yet");
}

#[test]
fn deployers_are_taken_at_their_word() {
    let check = |kind: &str, over: Value, want: &str| {
        let found =
            look(&seen(&[(kind, object("web", over))]), &named(&[&format!("{kind}/web")]), "shop/web");
        let want = want.replace("IT", &format!("{kind} web"));
        assert_eq!(brief(&found), format!("0/0 {want}"), "{kind}");
        digests(&found)
    };
    let argo = |health: &str, sync: &str, phase: &str| {
        json!({ "status": { "observedGeneration": null, "health": { "status": health, "message": "no" },
            "sync": { "status": sync }, "operationState": { "phase": phase, "message": "bad manifest" },
            "summary": { "images": [format!("docker.io/shop/web@{DIGEST}"), "shop/web:1", "other"] } } })
    };
    assert_eq!(
        check("Application", argo("Healthy", "Synced", "Succeeded"), "healthy"),
        [format!("shop/web@{DIGEST}")]
    );
    check("Application", argo("Healthy", "Synced", "Failed"), "healthy");
    check("Application", argo("Healthy", "Synced", "Running"), "progressing: IT: a sync is under way");
    check(
        "Application",
        argo("Healthy", "OutOfSync", "Failed"),
        "degraded: IT: its last sync failed: bad manifest",
    );
    let out = argo("Healthy", "OutOfSync", "Succeeded");
    assert!(
        check("Application", out, "progressing: IT: its health is Healthy, its sync OutOfSync: no")
            .is_empty()
    );
    check("Application", argo("Degraded", "Synced", "Succeeded"), "degraded: IT: its health is Degraded: no");
    check("Application", json!({}), "progressing: IT: its health is unknown, its sync unknown");

    let ready = |status: &str, reason: &str| json!({ "status": { "conditions": [{ "type": "Ready", "status": status, "reason": reason, "message": "said so" }] } });
    for kind in ["Kustomization", "HelmRelease"] {
        check(kind, ready("True", "ReconciliationSucceeded"), "healthy");
        check(kind, ready("False", "HealthCheckFailed"), "degraded: IT: said so");
        check(kind, ready("False", "DependencyNotReady"), "progressing: IT: said so");
        check(kind, ready("Unknown", "Progressing"), "progressing: IT: said so");
        let mut old = ready("True", "ReconciliationSucceeded");
        merge(&mut old, json!({ "status": { "observedGeneration": 1 } }));
        check(kind, old, "progressing: IT: its controller has not seen the change yet");
        let mut suspended = ready("True", "ReconciliationSucceeded");
        merge(&mut suspended, json!({ "spec": { "suspend": true } }));
        check(kind, suspended, "progressing: IT: it is suspended");
        let stalled = json!({ "status": { "conditions": [{ "type": "Stalled", "status": "True", "message": "no chart" }] } });
        check(kind, stalled, "degraded: IT: no chart");
    }
}

#[test]
fn digests_are_read_in_every_form_a_runtime_writes() {
    let check = |image: &str, id: &str, ours: &str, want: Option<&str>| {
        let pod = json!({ "metadata": { "name": "web-x", "labels": { "app": "web" }, "deletionTimestamp": AT },
            "spec": { "containers": [{ "name": "c", "image": image }] },
            "status": { "containerStatuses": [{ "name": "c", "image": image, "imageID": id, "state": { "running": { "startedAt": AT } } }] } });
        let healthy = object("web", json!({ "spec": { "replicas": 0 } }));
        let found = look(&seen(&[("Deployment", healthy), ("Pod", pod)]), &named(&["Deployment/web"]), ours);
        let wanted: Vec<String> = want.map(|_| format!("{ours}@{DIGEST}")).into_iter().collect();
        assert_eq!(digests(&found), wanted, "{image} {id}");
        brief(&found)
    };
    let yes = Some(DIGEST);
    for prefix in ["", "docker-pullable://"] {
        check("r.io/shop/web:1", &format!("{prefix}r.io/shop/web@{DIGEST}"), "r.io/shop/web", yes);
    }
    check("nginx:1", &format!("docker.io/library/nginx@{DIGEST}"), "nginx", yes);
    check("nginx:1", &format!("docker.io/library/nginx@{DIGEST}"), "docker.io/library/nginx", yes);
    // The node has the same image under another name.
    check("r.io/shop/web:1", &format!("mirror.io/web@{DIGEST}"), "r.io/shop/web", yes);
    check("r.io/other:1", &format!("r.io/other@{DIGEST}"), "r.io/shop/web", None);
    let unknown = check("r.io/shop/web:1", DIGEST, "r.io/shop/web", None);
    assert_eq!(
        unknown,
        format!(
            "0/0 progressing: image: which digest of r.io/shop/web runs in pod web-x is unknown: the runtime names {DIGEST}, and no manifest"
        )
    );
    for odd in ["", "docker://sha256:00", "\u{1b}[31m", "r.io/shop/web"] {
        assert!(check("r.io/shop/web:1", odd, "r.io/shop/web", None).contains("is unknown"), "{odd:?}");
    }
    assert_eq!(check("r.io/other:1", DIGEST, "r.io/shop/web", None), "0/0 healthy");
}

#[test]
fn what_prepared_a_pod_counts_and_what_does_not_run_does_not() {
    let status = |name: &str, digest: u8, state: Value| json!({ "name": name, "image": format!("{name}:1"), "imageID": format!("docker.io/library/{name}@{}", Digest::of(&[digest])), "state": state });
    let check = |init: Value, main: Value, want: &[u8]| {
        let pod = json!({ "metadata": { "name": "x", "labels": { "app": "web" } },
            "status": { "initContainerStatuses": [init], "containerStatuses": [main],
                "ephemeralContainerStatuses": [status("web", 9, json!({ "running": {} }))] } });
        let images = ["web".parse().unwrap(), "prepare".parse().unwrap()].into();
        let found = observation(&seen(&[("Pod", pod)]), &selected("app=web"), &images, AT.parse().unwrap());
        let found: Vec<Digest> = found.running.into_values().flatten().collect();
        assert_eq!(found, want.iter().map(|digest| Digest::of(&[*digest])).collect::<Vec<_>>());
    };
    let ended = |code: i64| json!({ "terminated": { "exitCode": code } });
    let running = || json!({ "running": {} });
    let waiting = || json!({ "waiting": { "reason": "CrashLoopBackOff" } });
    check(status("prepare", 1, ended(0)), status("web", 2, running()), &[1, 2]);
    check(status("prepare", 1, running()), status("web", 2, running()), &[1, 2]);
    check(status("prepare", 1, ended(1)), status("web", 2, running()), &[2]);
    check(status("prepare", 1, ended(0)), status("web", 2, waiting()), &[]);
    check(status("prepare", 1, ended(0)), status("web", 2, ended(0)), &[]);
}

#[test]
fn what_is_not_there_is_waited_for() {
    let none = seen(&[]);
    assert_eq!(
        brief(&look(&none, &named(&["Deployment/web", "Application/argocd/web"]), "web")),
        "0/0 progressing: Deployment web: it is not in namespace shop; Application web: it is not in namespace argocd"
    );
    assert_eq!(
        brief(&look(&none, &selected("app=web"), "web")),
        "0/0 progressing: workload: none with app=web is in namespace shop"
    );
    let many: Vec<String> = (0..5).map(|n| format!("Job/j{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(brief(&look(&none, &named(&many), "web")).ends_with("; and 2 more"));
}

#[test]
fn labels_pick_workloads_by_their_own_or_their_pods_and_no_run_of_a_cron_job() {
    let labelled = |name: &str| {
        object(
            name,
            json!({ "metadata": { "labels": { "team": "a" } }, "status": { "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 } }),
        )
    };
    let by_pods =
        object("api", json!({ "spec": { "template": { "metadata": { "labels": { "team": "a" } } } } }));
    let other = object("other", json!({}));
    let mut run = job("a", AT, "Failed");
    run["metadata"]["labels"]["team"] = json!("a");
    let seen = seen(&[
        ("Deployment", json!({ "items": [labelled("web"), by_pods, other] })),
        ("Job", json!({ "items": [run] })),
    ]);
    assert_eq!(
        brief(&look(&seen, &selected("team=a"), "web")),
        "1/2 progressing: Deployment api: 0 of 1 are updated"
    );
}
