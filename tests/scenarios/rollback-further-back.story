# Where all that was there last is gone from the registry, or ran badly, a rollback goes further back, and says what it
# passed over.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages: [{ name: prod, pins: [env/prod/web.yaml], merge: automatic, live: observed }]
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
push web 1.2.0
push web 1.3.0
push web 1.4.0
push web 1.5.0
push web 1.6.0
observe prod 1.6.0 0/2 degraded crash loop
push web 1.7.0
expect prod pins web 1.7.0
remove web 1.5.0
remove web 1.4.0
remove web 1.3.0
remove web 1.2.0
remove web 1.1.0
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
expect reply passed over: 1.6.0 was seen last as 0/2 run, degraded \(crash loop\); 1.5.0 is not in the registry
expect reply 1.2.0 is not in the registry; and 1 more
expect merged prod body `1.0.0` is in the registry
