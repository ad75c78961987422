# How a release was when it was replaced is told by what was seen then, not by what was seen long before; and a clock that is set
# back hides nothing that is reported afterwards.
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
          gates: { soak: 5m, healthy: true, approvals: { min: 1, independent: false } }
push web 1.0.0
pin dev web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
# nothing of it is ready: it does not run yet
observe dev 1.1.0 0/2
wait 4m
observe dev 1.1.0 2/2
wait 4m
expect prod none open
wait 40m
expect prod hold not known to be healthy
push web 1.2.0
expect dev pins web 1.2.0
expect prod none open
observe dev 1.2.0 2/2
wait 5m
expect prod open 1.2.0
clock back 1h
observe dev 1.2.0 0/2 degraded crash loop
approve prod by maria
expect prod pins web 1.0.0
expect prod hold 0/2 run, degraded (crash loop)
