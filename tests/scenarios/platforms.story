# An image that lacks a platform is not proposed; one that is live nowhere any more is looked at again.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, platforms: [linux/amd64, linux/arm64/v8] }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], gates: { soak: 30m, approvals: { min: 1, independent: false } } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0 only linux/amd64
expect dev hold lacks linux/arm64
expect dev none open
push web 1.1.1
expect dev pins web 1.1.1
wait 30m
expect prod open 1.1.1
push web 1.2.0
expect dev pins web 1.2.0
comment prod by maria: /retry
expect prod open 1.1.1
close prod by li
expect prod none open
comment operations by maria: /promote prod to 1.1.1
expect prod open 1.1.1
