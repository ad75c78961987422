# Only what is allowed counts, and nothing that is ignored.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images:
        - repository: registry.test/shop/web
          follow: { semver: ">=1.0", allow: '^v', ignore: '-slim$|^v1\.2\.', prereleases: true }
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web v1.0.0
push web v1.0.0
start
push web 1.9.0
push web v1.1.0-slim
push web v1.2.0
expect dev pins web v1.0.0
push web v1.1.0-rc.1
expect dev pins web v1.1.0-rc.1
push web v1.1.0
expect dev pins web v1.1.0
