# Where a stage allows it, a person's pull request may change its pins; the merge is recorded as out of band.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, out_of_band: allowed }
pin prod web 1.0.0
push web 1.0.0
start
person proposes env/prod/web.yaml:
  apiVersion: apps/v1
  kind: Deployment
  spec:
    template:
      spec:
        containers:
          - name: web
            image: registry.test/shop/web:1.0.5@sha256:2d507e3fc530cb495aaa3474e21e3117fa790d2f9db3351a4f8fffd03688f4b0
expect proposed check passed recorded as out-of-band
