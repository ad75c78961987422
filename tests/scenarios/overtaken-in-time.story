# What is proposed gives way at the moment at which something newer has soaked, not at the next look.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 7m, approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 7m
expect prod open 1.1.0
push web 1.2.0
wait 6m
expect prod open 1.1.0
wait 1m
expect prod open 1.2.0
