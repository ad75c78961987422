# A freeze stops a hotfix, unless an exception names that lane; a rollback overtakes it.
rules:
  version: 1
  freezes: calendars/freezes.yaml
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 1h, approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          hotfix: { by: ["team:acme/oncall"] }
file calendars/freezes.yaml:
  freezes:
    - { name: year-end, from: 2026-03-02T11:00:00Z, until: 2026-03-03T00:00:00Z, stages: prod, reason: books, owner: "team:acme/release" }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 1h
approve prod by li
expect prod pins web 1.1.0
wait 1h
push web 1.1.1 quietly
order by sam: /promote prod to 1.1.1 lane=hotfix INC-2 login
expect prod open 1.1.1
approve prod by li
expect prod hold freeze `year-end`
expect prod pins web 1.1.0
wait 1m
file calendars/freezes.yaml:
  freezes:
    - name: year-end
      from: 2026-03-02T11:00:00Z
      until: 2026-03-03T00:00:00Z
      stages: prod
      reason: books
      owner: team:acme/release
      exceptions: [{ pipeline: web, lane: normal, owner: "user:maria", reason: other, until: 2026-03-03T00:00:00Z }]
approve prod by li
expect prod pins web 1.1.0
wait 1m
file calendars/freezes.yaml:
  freezes:
    - name: year-end
      from: 2026-03-02T11:00:00Z
      until: 2026-03-03T00:00:00Z
      stages: prod
      reason: books
      owner: team:acme/release
      exceptions: [{ pipeline: web, owner: "user:maria", reason: INC-2, until: 2026-03-03T00:00:00Z }]
wait 1m
approve prod by kim
expect prod pins web 1.1.1
expect merge of prod says Lockkeeper-Exception: freeze year-end by user:maria: INC-2
comment operations by maria: /freeze prod
push web 1.1.2 quietly
comment operations by sam: /promote prod to 1.1.2 lane=hotfix INC-3 login
approve prod by li
expect prod pins web 1.1.1
expect prod hold frozen by maria
comment operations by sam: /rollback prod
expect closed prod says overtakes
expect prod pins web 1.1.0
