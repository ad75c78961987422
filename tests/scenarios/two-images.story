# Two images of one pipeline move together, when both have the tag.
rules:
  version: 1
  pipelines:
    - name: pair
      start: now
      together: same_tag
      images:
        - { repository: registry.test/shop/web, follow: { semver: ">=1.0" } }
        - { repository: registry.test/shop/api, follow: { semver: ">=1.0" } }
      stages:
        - { name: dev, pins: [env/dev/web.yaml, env/dev/api.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml, env/prod/api.yaml], merge: automatic, gates: { soak: 5m } }
pin dev web 1.0.0
pin dev api 1.0.0
pin prod web 1.0.0
pin prod api 1.0.0
push web 1.0.0
push api 1.0.0
start
push web 1.1.0
expect dev hold waits until all images have one tag
expect dev pins web 1.0.0
push api 1.1.0
expect dev pins web 1.1.0
expect dev pins api 1.1.0
expect merges dev 1
wait 5m
expect prod pins web 1.1.0
expect prod pins api 1.1.0
