# A freeze by command stops merging on every path until it is lifted or over; never opening, and never a rollback.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
comment operations by sam: /freeze prod
expect reply Not allowed
comment operations by maria: /freeze prod until 2h quarter end
expect reply is frozen until 2026-03-02 11:00:00 UTC
expect prod state held
push web 1.1.0
expect prod open 1.1.0
comment prod by maria: /unfreeze
expect reply works on the operations issue
approve prod by li
expect prod pins web 1.0.0
expect prod hold frozen by maria
restart
expect prod pins web 1.0.0
wait 1h59m59s
expect prod pins web 1.0.0
wait 1s
expect prod pins web 1.1.0
comment operations unheard by maria: /freeze all INC-1
push web 1.2.0
expect dev open 1.2.0
expect dev pins web 1.1.0
expect dev hold frozen by maria
order by tom: /unfreeze all
expect answer needs one of
comment operations by maria: /unfreeze dev
expect dev pins web 1.2.0
expect prod open 1.2.0
approve prod by li
expect prod pins web 1.1.0
order by maria: /freeze prod still
expect answer this takes its place
order by maria: /unfreeze dev
expect answer not frozen by command
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
comment operations by sam: /resume prod
approve prod by li
expect prod pins web 1.0.0
order by maria: /unfreeze
expect answer is no longer frozen by command
expect prod pins web 1.2.0
expect history says Unfrozen
