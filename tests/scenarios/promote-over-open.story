# `/promote` over an open pull request: the request is kept, and the requester's own approval does not count.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          supersede: never
          gates: { soak: 10m, approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 10m
push web 1.2.0
wait 10m
expect prod open 1.1.0
comment operations by maria: /promote prod to 1.1.0
expect reply proposes `1.1.0` already
comment operations by maria: /promote prod to 1.2.0
expect prod open 1.2.0
approve prod by maria
expect prod hold `maria` asked for this promotion
approve prod by li
expect prod pins web 1.2.0
comment operations by maria: /promote prod to 1.1.0
expect reply is older than what `prod` pins
