# First sight: a stage by tag alone is pinned by its first promotion; an unknown digest is adopted; nothing is proposed
# before the pipeline is started.
rules:
  version: 1
  pipelines:
    - name: web
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
pin dev web 1.0.0 tag-only
pin prod web 0.9.0
push web 1.0.0
start
push web 1.1.0
expect dev none open
expect dev hold the pipeline has not been started
comment operations by rob: /promote
expect reply Not allowed
comment operations by ana: /promote
expect reply Proposing `1.1.0` for `dev`
expect dev pins web 1.1.0
expect prod pins web 1.1.0
expect merge of dev says was -
expect merge of prod says was 0.9.0@sha256:
