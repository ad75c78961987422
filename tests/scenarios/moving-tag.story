# A moving tag is followed by its digest, never backwards on its own.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { tag: main } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { soak: 1m } }
pin dev web main
pin prod web main
push web main
start
push web main as build-2
expect dev pins web main/build-2
wait 1m
expect prod pins web main/build-2
push web main as main
expect dev hold is older than
expect dev pins web main/build-2
push web main as build-3
expect dev pins web main/build-3
