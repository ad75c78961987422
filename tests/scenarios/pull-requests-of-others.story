# Our check on pull requests of others: green at once, unless a pin or the rules are touched.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
person proposes README.md:
  hello
expect proposed check passed no image pin changes
person proposes env/prod/web.yaml:
  apiVersion: apps/v1
  kind: Deployment
  spec:
    template:
      spec:
        containers:
          - name: web
            image: registry.test/shop/web:1.0.5@sha256:2d507e3fc530cb495aaa3474e21e3117fa790d2f9db3351a4f8fffd03688f4b0
expect proposed check failed changes pins of web/prod: use /promote
person proposes lockkeeper.yaml:
  version: 1
  pipelines:
    - name: web
      oops: true
expect proposed check failed lockkeeper.yaml line
person proposes lockkeeper.yaml:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images:
        - repository: registry.test/shop/web
          follow: { semver: ">=1.0" }
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: staging, pins: [env/staging/web.yaml], gates: { soak: 1m }, merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
expect proposed check passed loosens gates: web/staging
expect dev none open
