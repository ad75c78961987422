# After a merge a stage is watched: it passes at its end and not before, and the stages after it wait for that.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: canary
          pins: [env/canary/web.yaml]
          merge: automatic
          live: observed
          counts_for: 10m
          watch: { for: 30m, on_failure: rollback }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
push web 1.0.0
pin canary web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
expect canary pins web 1.1.0
expect merged canary says Watched until 2026-03-02 09:30:00 UTC
# what is rolled out is no failure, and what runs no pass yet
observe canary 1.0.0 2/2
observe canary 1.1.0 1/2
observe canary 1.1.0 2/2
expect prod hold 1.1.0 is watched in canary until 2026-03-02 09:30:00 UTC
wait 20m
observe canary 1.1.0 2/2
restart
wait 9m59s
expect prod pins web 1.0.0
wait 1s
expect prod pins web 1.1.0
expect history says end: Passed
# what takes its place ends a watch, and that is no failure
push web 1.2.0
expect canary pins web 1.2.0
push web 1.3.0
expect canary pins web 1.3.0
observe canary 1.3.0 2/2
expect history says end: CutShort, why: "1.3.0 took its place"
expect prod hold 1.3.0 is watched in canary
