# Nothing soaks that nobody saw: time counts from the first report, and only while reports follow each other.
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
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic, live: observed, counts_for: 10m }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 20m, healthy: true, approvals: { min: 1, independent: false } }
push web 1.0.0
pin dev web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
# merged is not live
wait 1h
expect prod none open
expect prod hold is seen running in dev
# the release before still runs, which breaks nothing
observe dev 1.0.0 2/2
expect prod hold 1.0.0 runs
observe dev 1.1.0 2/2
expect prod hold soaks in dev until 2026-03-02 10:20:00 UTC
wait 9m
observe dev 1.1.0 2/2
wait 10m
expect prod none open
observe dev 1.1.0 2/2
expect prod none open
expect prod hold soaks in dev until 2026-03-02 10:20:00 UTC
wait 1m
expect prod open 1.1.0
# health is asked for afresh: too long ago is not known
approve prod by maria
expect prod pins web 1.1.0
