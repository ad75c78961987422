# What does not say which commit it was built from is not proposed where that has to be known.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { provenance: true }, hotfix: { by: ["team:acme/oncall"] } }
source second by li
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
expect prod none open
expect prod hold registry.test/shop/web 1.1.0 names `1.1.0` as its commit (`org.opencontainers.image.revision`), which is no whole id
comment operations by maria: /promote prod to 1.1.0
expect reply Not done
comment operations by sam: /promote prod to 1.1.0 lane=hotfix INC-1 login
expect reply which is no whole id
expect prod none open
push web 1.2.0 revision second
expect dev pins web 1.2.0
expect prod pins web 1.2.0
expect merged prod body was built from
