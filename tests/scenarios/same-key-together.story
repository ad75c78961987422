# Images that are released together agree on the key, whatever else stands in their tags.
rules:
  version: 1
  pipelines:
    - name: pair
      start: now
      together: same_tag
      images:
        - repository: registry.test/shop/web
          follow: { semver: "*", extract: '^v(?<key>[0-9.]+)-web-' }
        - repository: registry.test/shop/api
          follow: { semver: "*", extract: '^(?<key>[0-9.]+)-api$' }
      stages:
        - { name: dev, pins: [env/dev/web.yaml, env/dev/api.yaml], merge: automatic }
pin dev web v1.0.0-web-9f2c41a
pin dev api 1.0.0-api
push web v1.0.0-web-9f2c41a
push api 1.0.0-api
start
push web v1.1.0-web-abc123f
expect dev hold waits until all images have one tag
push api 1.1.0-api
expect dev pins web v1.1.0-web-abc123f
expect dev pins api 1.1.0-api
expect merges dev 1
