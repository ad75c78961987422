# A rollback that overtakes an open pull request, in small: every write of it is a place to stop at.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, independent: false } } }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
approve prod by li
expect prod pins web 1.1.0
push web 1.2.0
expect prod open 1.2.0
comment prod by sam: /rollback
expect prod pins web 1.0.0
expect prod none open
expect prod hold held after a rollback by sam
expect merges prod 2
comment operations by sam: /resume prod
expect prod open 1.2.0
