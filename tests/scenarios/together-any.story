# Images that need not agree on a tag: each moves when it has something newer, and the release has both.
rules:
  version: 1
  pipelines:
    - name: pair
      start: now
      together: any
      images:
        - { repository: registry.test/shop/web, follow: { semver: ">=1.0" } }
        - { repository: registry.test/shop/api, follow: { semver: ">=1.0" } }
      stages:
        - { name: dev, pins: [env/dev/web.yaml, env/dev/api.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml, env/prod/api.yaml], merge: automatic, gates: { soak: 5m } }
pin dev web 1.0.0
pin dev api 2.0.0
pin prod web 1.0.0
pin prod api 2.0.0
push web 1.0.0
push api 2.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
expect dev pins api 2.0.0
expect merges dev 1
wait 3m
push api 2.1.0
expect dev pins api 2.1.0
expect merges dev 2
wait 3m
expect prod pins web 1.0.0
wait 2m
expect prod pins web 1.1.0
expect prod pins api 2.1.0
