# A contrary report begins the soak anew, a gap adds nothing and breaks nothing, what failed adds nothing either.
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
observe dev 1.1.0 2/2
wait 8m
observe dev 1.0.0 2/2
expect prod hold 1.0.0 runs
observe dev 1.1.0 2/2
wait 8m
observe dev 1.1.0 2/2
# 10m of this hour count
wait 1h
expect prod hold observed 18m of 20m
observe dev 1.1.0 2/2
wait 1m
observe dev 1.1.0 0/2 degraded crash loop
wait 5m
expect prod hold observed 19m of 20m
observe dev 1.1.0 2/2
expect prod none open
wait 1m
expect prod open 1.1.0
# what is degraded, or not seen any more, is not healthy
observe dev 1.1.0 1/2 degraded crash loop
approve prod by maria
expect prod hold not known to be healthy in dev: 1/2 run, degraded (crash loop)
observe dev 1.1.0 2/2
expect prod pins web 1.1.0
