# A release that is not picked any more can be asked for by name, where it is signed.
rules:
  version: 1
  keys: { release: KEY(release) }
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, signed_by: release }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web 1.0.0
push web 1.0.0
start
push web 1.1.0
push web 1.2.0
comment operations by maria: /promote dev to 1.1.0
expect reply is not signed by `release`
sign web 1.1.0 by release
comment operations by maria: /promote dev to 1.1.0
expect dev pins web 1.1.0
