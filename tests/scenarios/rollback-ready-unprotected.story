# Who may set tags protects the way back before anything is merged over it.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { rollback_ready: true } }
pin prod web 1.0.0
push web 1.0.0
registry takes tags
registry keeps anchor-of-1.0.0
start
push web 1.1.0
expect prod open 1.1.0
expect prod hold and its anchor tag registry.test/shop/web:
expect prod pins web 1.0.0
registry keeps nothing
wait 2m
expect prod pins web 1.1.0
expect tag web anchor-of-1.0.0 is 1.0.0
