# `/retry` on a closed pull request does not touch the one that took its place.
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
expect prod open 1.1.0
push web 1.2.0
expect prod open 1.2.0
comment number 3 by li: /retry
expect reply this is a merged or closed promotion
expect prod open 1.2.0
