# An exception lets through what it names, until its time, and is recorded. One that is added voids approvals.
rules:
  version: 1
  freezes:
    - { name: year-end, from: 2026-03-01T00:00:00Z, until: 2026-03-05T00:00:00Z, reason: books, owner: "team:acme/release" }
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
approve prod by li
expect prod pins web 1.0.0
wait 1m
rules:
  version: 1
  freezes:
    - name: year-end
      from: 2026-03-01T00:00:00Z
      until: 2026-03-05T00:00:00Z
      reason: books
      owner: team:acme/release
      exceptions:
        - { pipeline: web, stage: prod, lane: normal, owner: "user:maria", reason: customers wait, until: 2026-03-02T10:00:00Z }
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
expect prod pins web 1.0.0
expect prod body loosened gates of this stage:** exception of
expect prod hold approved before the gates were loosened
wait 1m
approve prod by kim
expect prod pins web 1.1.0
expect merge of prod says Lockkeeper-Exception: freeze year-end by user:maria: customers wait
expect history says freeze year-end by user:maria
wait 57m59s
push web 1.2.0
approve prod by li
expect prod pins web 1.2.0
push web 1.3.0
wait 1s
approve prod by li
expect prod pins web 1.2.0
expect prod hold freeze `year-end`
