# A freeze of the calendar stops merging, from its first second to its last; never opening, and never a rollback.
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
        - name: prod-eu
          group: prod
          pins: [env/prod-eu/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
file calendars/freezes.yaml:
  freezes:
    - name: year-end
      from: 2026-03-02 11:00
      until: 2026-03-02 13:00
      zone: Europe/Berlin
      stages: [prod]
      reason: the books are closed
      owner: team:acme/release
pin dev web 1.0.0
pin prod-eu web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect prod-eu body freeze `year-end` begins 2026-03-02 10:00:00 UTC
wait 59m59s
approve prod-eu by li
expect prod-eu pins web 1.1.0
push web 1.2.0
approve prod-eu by li
expect prod-eu pins web 1.2.0
push web 1.3.0
wait 1s
expect prod-eu hold freeze `year-end` by `team:acme/release` until 2026-03-02 12:00:00 UTC: the books are closed
expect prod-eu state held
approve prod-eu by li
expect prod-eu pins web 1.2.0
expect prod-eu check pending freeze year-end
expect dev pins web 1.3.0
push web 1.4.0
expect prod-eu open 1.4.0
restart
approve prod-eu by li
expect prod-eu pins web 1.2.0
comment operations by rob: /status
expect reply freeze
comment operations by maria: /unfreeze prod
expect reply that is lifted in the calendar
comment operations by sam: /rollback prod
expect prod-eu pins web 1.1.0
comment operations by sam: /resume prod
wait 1h59m59s
approve prod-eu by li
expect prod-eu pins web 1.1.0
wait 1s
expect prod-eu pins web 1.4.0
