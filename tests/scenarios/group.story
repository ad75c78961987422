# A group is held and rolled back as one.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod-eu, group: prod, after: [dev], pins: [env/prod-eu/web.yaml], merge: automatic, gates: { soak: 1m } }
        - { name: prod-us, group: prod, after: [dev], pins: [env/prod-us/web.yaml], merge: automatic, gates: { soak: 1m } }
pin dev web 1.0.0
pin prod-eu web 1.0.0
pin prod-us web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 1m
expect prod-eu pins web 1.1.0
expect prod-us pins web 1.1.0
comment operations by sam: /rollback prod INC-9
expect prod-eu pins web 1.0.0
expect prod-us pins web 1.0.0
expect prod-eu hold held after a rollback
comment operations by sam: /hold prod
expect reply `prod-us` is held
