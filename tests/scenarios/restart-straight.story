# The straight way in small: every write of it is a place to stop at.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, independent: false } } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
expect prod open 1.1.0
approve prod by li
expect prod pins web 1.1.0
expect merges dev 1
expect merges prod 1
