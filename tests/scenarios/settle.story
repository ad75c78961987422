# With `settle`, a release of several images waits until none has changed for that long.
rules:
  version: 1
  pipelines:
    - name: pair
      start: now
      settle: 60s
      images:
        - { repository: registry.test/shop/web, follow: { semver: ">=1.0" } }
        - { repository: registry.test/shop/api, follow: { tag: stable } }
      stages:
        - { name: dev, pins: [env/dev/web.yaml, env/dev/api.yaml], merge: automatic }
pin dev web 1.0.0
pin dev api stable
push web 1.0.0
push api stable
start
wait 2m
push web 1.1.0
expect dev hold settles until
wait 30s
push api stable as second
wait 59s
expect dev pins web 1.0.0
wait 1s
expect dev pins web 1.1.0
expect dev pins api stable/second
expect merges dev 1
