# A merge waits while lint finds errors in the files of the stage; a warning stops nothing, and an exemption counts up to its day.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/app.yaml], merge: automatic, gates: { policy: lint } }
  lint:
    stages:
      prod: { missing-digest: warning }
file env/prod/app.yaml:
  kind: Deployment
  spec:
    template:
      spec:
        containers:
          - name: web
            image: registry.test/shop/web:1.0.0@sha256:133c0a531d6380e24a59b442d7aac6153d97a6a199d2ac92c47bc84567a8b875
          - name: proxy
            image: registry.test/tools/proxy:3
pin dev web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect merges prod 1
expect merged prod body lint finds no error in the file of this stage
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/app.yaml], merge: automatic, gates: { policy: lint } }
push web 1.2.0
expect prod open 1.2.0
expect prod hold lint finds an error: env/prod/app.yaml:9 (missing-digest): `registry.test/tools/proxy:3` has no digest
expect prod body (policy)
expect prod check pending lint finds an error
expect merges prod 1
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/app.yaml], merge: automatic, gates: { policy: lint } }
  lint:
    exemptions:
      - { rule: missing-digest, path: "env/prod/**", owner: team:acme/owners, reason: the proxy comes next, expires: 2026-03-02 }
expect merges prod 2
expect merged prod body lint exempts
push web 1.3.0
expect merges prod 3
# The day after, it is an error again, until the kustomization beside it gives the digest.
wait 15h
push web 1.4.0
expect prod open 1.4.0
expect prod hold (missing-digest)
expect merges prod 3
file env/prod/kustomization.yaml:
  resources: [app.yaml]
  images: [{ name: registry.test/tools/proxy, digest: "sha256:133c0a531d6380e24a59b442d7aac6153d97a6a199d2ac92c47bc84567a8b875" }]
expect merges prod 4
