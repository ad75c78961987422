# A watch that only tells: its failure is said once, the release stays where it is, is held by nobody and goes no further. Its
# rollback by a person is as ever.
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
          watch: { for: 30m, on_failure: tell }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
push web 1.0.0
pin canary web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
expect merged canary says Where that fails, people are told
observe canary 1.1.0 2/2
expect prod hold 1.1.0 is watched in canary until 2026-03-02 09:30:00 UTC
observe canary 1.1.0 1/2 degraded out of memory
expect merged canary says **Watch failed**
expect canary no hold
expect history says end: Failed
expect canary pins web 1.1.0
observe canary 1.1.0 2/2
wait 30m
expect prod hold 1.1.0 is vetoed by lockkeeper
comment operations by sam: /rollback canary
expect canary pins web 1.0.0
expect canary hold held after a rollback by sam
expect prod pins web 1.0.0
