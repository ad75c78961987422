# A registry that refuses a tag, or is away, stops no promotion; it is said, and tried again.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic, channel: dev }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, channel: prod }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
expect prod hold names nobody for its host
registry takes tags
registry keeps prod
wait 6m
expect tag web dev is 1.0.0
expect tag web prod is gone
expect prod hold 412 Precondition Failed
push web 1.1.0
expect prod pins web 1.1.0
expect tag web dev is 1.1.0
expect prod hold let it move
registry keeps nothing
wait 1h
wait 5m
expect tag web prod is 1.1.0
expect prod no hold
