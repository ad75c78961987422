# Pins that disagree do not stop a rollback, and neither does a digest that somebody took away.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml, env/prod2/web.yaml], merge: automatic }
pin prod web 1.0.0
pin prod2 web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect prod pins web 1.1.0
pin prod2 web 1.0.5
expect prod hold pins disagree
wait 1m
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
expect prod2 pins web 1.0.0
pin prod web 1.0.0 tag-only
pin prod2 web 1.0.0 tag-only
expect prod hold held, changed out of band
wait 1m
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
expect prod2 pins web 1.0.0
