# One tag by hand: nothing newer counts, and it does not move. What was seen before it is not gone back to.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { exact: 1.4.2 } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web 1.0.0
push web 1.0.0
start
expect dev hold 1.4.2 is not in the registry
push web 1.4.2
expect dev pins web 1.4.2
push web 1.5.0
expect dev pins web 1.4.2
push web 1.4.2 as other
expect dev hold version 1.4.2 of registry.test/shop/web moved from
expect dev pins web 1.4.2
