# A version that stood for two digests is vetoed by digest alone; on a pull request its release is meant.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { tag: "2.0.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
pin prod web 2.0.0
push web 2.0.0
start
push web 2.0.0 as one
expect prod open 2.0.0
close prod by li
expect prod none open
comment operations by maria: /promote prod to 2.0.0
expect prod open 2.0.0
comment operations by maria: /veto 2.0.0 bad
expect reply `2.0.0` names 2 digests
expect prod open 2.0.0
comment prod by maria: /veto bad
expect prod none open
