# While a stage is watched its cluster is looked at each minute, also where nothing waits.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: prod
          pins: [env/prod/web.yaml]
          merge: automatic
          live: { cluster: here, namespace: shop, selector: app=web }
          watch: { for: 10m, on_failure: rollback }
push web 1.0.0
pin prod web 1.0.0
start
push web 1.1.0
cluster runs 1.1.0 1/2
wait 9m
cluster runs 1.1.0 2/2
wait 1m
expect history says end: Passed
push web 1.2.0
cluster away
wait 10m
expect merged prod says **Watch unproven**
expect prod pins web 1.2.0
cluster runs 1.2.0 2/2
expect merged prod says **Watch passed**
push web 1.3.0
cluster runs 1.3.0 1/2 degraded its progress deadline is exceeded
expect prod pins web 1.2.0
expect merged prod body its progress deadline is exceeded
