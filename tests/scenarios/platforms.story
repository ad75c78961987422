# An image that lacks a platform is not proposed.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, platforms: [linux/amd64, linux/arm64] }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web 1.0.0
push web 1.0.0
start
push web 1.1.0 only linux/amd64
expect dev hold lacks linux/arm64
expect dev none open
push web 1.1.1
expect dev pins web 1.1.1
