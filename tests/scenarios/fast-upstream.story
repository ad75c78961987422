# A fast upstream does not starve its successor: a release that has soaked once has passed.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], gates: { soak: 10m, approvals: { min: 1, independent: false } } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 10m
expect prod open 1.1.0
push web 1.2.0
wait 5m
push web 1.3.0
wait 5m
push web 1.4.0
expect prod open 1.1.0
approve prod by li
expect prod pins web 1.1.0
expect prod hold 1.4.0 soaks in dev
wait 10m
expect prod open 1.4.0
