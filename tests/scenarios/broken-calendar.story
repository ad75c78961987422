# A calendar that is missing or broken freezes everything that it may be about, and says why; a rollback passes.
rules:
  version: 1
  freezes: calendars/freezes.yaml
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
file calendars/freezes.yaml:
  freezes: []
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
approve prod by li
expect prod pins web 1.1.0
file calendars/freezes.yaml:
  freezes: [{ name: year-end }]
push web 1.2.0
expect prod open 1.2.0
approve prod by li
expect prod pins web 1.1.0
expect prod hold calendar `calendars/freezes.yaml` cannot be used: line 1, freezes[0]: wanted the key `from`
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
comment operations by sam: /resume prod
approve prod by li
expect prod pins web 1.0.0
wait 1m
file calendars/freezes.yaml:
  freezes: []
expect prod body could not be used and stops less now
wait 1m
approve prod by kim
expect prod pins web 1.2.0
rules:
  version: 1
  freezes: calendars/gone.yaml
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
expect prod hold there is no such file on branch main
push web 1.3.0
approve prod by li
expect prod pins web 1.2.0
