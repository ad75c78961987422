# A cluster says what runs: where it does not answer, the gates that need it are shut, and nothing else stops. What changes there
# is heard at once, also where the pipeline is not looked at for long.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images:
        - repository: registry.test/shop/web
          follow: { semver: ">=1.0" }
      stages:
        - name: dev
          pins: [env/dev/web.yaml]
          merge: automatic
          live: { cluster: here, namespace: shop, selector: app=web }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 2m, healthy: true }
          merge: automatic
push web 1.0.0
pin dev web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
expect prod hold cluster here tells nothing to go by: no answer
cluster runs 1.0.0 2/2
wait 1m
expect prod hold 1.0.0 runs
cluster runs 1.1.0 1/2
expect prod hold soaks in dev until 2026-03-02 09:03:00 UTC
wait 1m59s
expect prod pins web 1.0.0
wait 1s
expect prod hold not known to be healthy in dev: 1/2 run, progressing (waits for pods)
cluster away
wait 1m
expect prod hold no answer
expect prod pins web 1.0.0
wait 1m
cluster runs 1.1.0 2/2
expect prod pins web 1.1.0
expect dev no hold
cluster runs 1.0.0 2/2
comment operations by rob: /status
expect reply ≠ **dev** 1.1.0
expect reply 1.0.0 runs, and 1.1.0 is pinned
