# A working day and a night: a promotion, a veto, a canary that fails in one region, a hotfix, and a rollback at night inside
# a freeze. What somebody changes by hand afterwards is seen.
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
        - name: canary-eu
          group: canary
          after: [dev]
          pins: [env/canary-eu/web.yaml]
          merge: automatic
          gates: { soak: 30m, checks: [{ name: smoke, app: ci }] }
        - { name: canary-us, group: canary, after: [dev], pins: [env/canary-us/web.yaml], merge: automatic, gates: { soak: 30m } }
        - name: prod
          after: [canary-eu, canary-us]
          pins: [env/prod/web.yaml]
          gates:
            soak: 1h
            approvals: { min: 1, from: ["team:acme/sre"], independent: false }
            window: { days: mon-thu, hours: "09:00-18:00", zone: Europe/Berlin }
          rollback: { by: ["team:acme/oncall"] }
          hotfix: { by: ["team:acme/oncall"] }
file calendars/freezes.yaml:
  freezes:
    - { name: books, from: 2026-03-02T18:00:00Z, until: 2026-03-04T06:00:00Z, stages: prod, reason: the books are closed, owner: "team:acme/release" }
pin dev web 1.4.0
pin canary-eu web 1.4.0
pin canary-us web 1.4.0
pin prod web 1.4.0
push web 1.4.0
start
push web 1.4.1
expect dev pins web 1.4.1
wait 30m
check smoke passes on canary-eu
expect canary-eu pins web 1.4.1
expect canary-us pins web 1.4.1
wait 1h
expect prod open 1.4.1
expect prod first screen fits
approve prod by li
expect prod pins web 1.4.1
expect merge of prod says Lockkeeper-Approved-By: li
push web 1.5.0
comment operations by maria: /veto 1.5.0 it leaks memory
wait 1h
expect dev pins web 1.5.0
expect canary-us none open
expect canary-us pins web 1.4.1
push web 1.5.1
wait 30m
check smoke fails on canary-eu
expect canary-us pins web 1.5.1
expect canary-eu pins web 1.4.1
check smoke passes on canary-eu
expect canary-eu pins web 1.5.1
comment operations by tom: /rollback canary-eu latency doubled
expect canary-eu pins web 1.4.1
expect canary-us pins web 1.5.1
expect dev pins web 1.5.1
wait 2h
expect prod none open
expect prod pins web 1.4.1
push web 1.4.2 quietly
comment operations by sam: /promote prod to 1.4.2 lane=hotfix INC-2041 payments fail
expect prod body Skipped in this lane:** upstream, soak \(1h\), window \(
approve prod by sam
expect prod pins web 1.4.1
approve prod by kim
expect prod pins web 1.4.2
expect merge of prod says Lockkeeper-Lane: hotfix
clock forward 13h
expect prod hold freeze `books`
comment merged prod by sam: /rollback INC-2042 payments fail again
expect reply Rolling `prod` back: `1.4.2` → `1.4.1`
expect prod pins web 1.4.1
expect prod state held
expect merge of prod says Lockkeeper-Reason: INC-2042 payments fail again
expect dev pins web 1.5.1
pin canary-us web 1.4.0
expect canary-us hold held, changed out of band
expect history says OutOfBand
