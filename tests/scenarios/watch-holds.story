# What nobody saw healthy at the end of its watch is not healthy, and not degraded either: it is held where the rules say so,
# goes no further, and passes as soon as it is seen. What is degraded stays out for good.
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
          watch: { for: 30m, on_failure: hold }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
push web 1.0.0
pin canary web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
observe canary 1.1.0 1/2
wait 29m59s
expect canary no hold
wait 1s
expect canary hold held after a watch by lockkeeper
expect merged canary says **Watch unproven**
expect prod hold 1.1.0 has not passed its watch in canary
expect canary pins web 1.1.0
comment operations by sam: /resume canary
observe canary 1.1.0 2/2
expect merged canary says **Watch passed**, later than it ended
expect prod pins web 1.1.0
push web 1.2.0
observe canary 1.2.0 0/2 degraded crash loop
expect canary pins web 1.2.0
expect canary hold watch of 1.2.0 in canary failed: 0/2 run, degraded (crash loop)
expect merged canary says **Watch failed**
expect prod hold 1.2.0 is vetoed by lockkeeper
