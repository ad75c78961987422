# Pins of one stage that disagree hold it; the others go on.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml, env/dev2/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
pin dev web 1.0.0
pin dev2 web 1.0.1
pin prod web 1.0.0
push web 1.0.0
push web 1.0.1
start
push web 1.1.0
expect dev hold pins disagree
expect dev none open
pin dev2 web 1.0.0
expect dev pins web 1.1.0
expect dev2 pins web 1.1.0
expect prod pins web 1.1.0
