# What a calendar names and nothing has would stop nothing: our check on the pull request that does it fails, and on the base
# the board says so; what a pull request loosens in it is said.
rules:
  version: 1
  freezes: calendars/freezes.yaml
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
file calendars/freezes.yaml:
  freezes:
    - { name: year-end, from: 2026-03-02T11:00:00Z, until: 2026-03-03T00:00:00Z, stages: prod, reason: books, owner: "team:acme/release" }
pin prod web 1.0.0
push web 1.0.0
start
person proposes calendars/freezes.yaml:
  freezes:
    - { name: year-end, from: 2026-03-02T11:00:00Z, until: 2026-03-03T00:00:00Z, stages: prod-eu, reason: books, owner: "team:acme/release" }
wait 5m
expect proposed check failed freeze year-end names prod-eu, which is no stage or group of any pipeline
person proposes calendars/freezes.yaml:
  freezes: [{ name: year-end }]
wait 5m
expect proposed check failed calendar calendars/freezes.yaml could not be used
person proposes calendars/freezes.yaml:
  freezes: []
wait 5m
expect proposed check passed loosens gates: web/prod: freeze `year-end` removed
file calendars/freezes.yaml:
  freezes:
    - { name: old, from: 2026-03-01T11:00:00Z, until: 2026-03-02T00:00:00Z, stages: gone, reason: books, owner: "team:acme/release" }
    - { name: year-end, from: 2026-03-02T11:00:00Z, until: 2026-03-03T00:00:00Z, stages: prod, pipelines: wbe, reason: books, owner: "team:acme/release" }
wait 5m
expect error calendars/freezes.yaml: freeze `year-end` names `prod`, which is no stage or group of `wbe`
