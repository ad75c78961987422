# An image that was built from another repository than its own is not proposed where that has to be known; asked for less, by the
# rules themselves, it is.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, source: "https://git.example.com/shop/web" }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { provenance: true } }
source second by li
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0 revision second
expect prod none open
expect prod hold as its source (`org.opencontainers.image.source`), and not https://git.example.com/shop/web
expect prod pins web 1.0.0
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { provenance: true } }
expect prod pins web 1.1.0
expect merged prod body was built from
