# A release goes on from any of two stages: by the one where it has passed first, and healthy where that is asked.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: eu, after: [dev], pins: [env/eu/web.yaml], merge: automatic, live: observed, counts_for: 30m }
        - name: us
          after: [dev]
          pins: [env/us/web.yaml]
          live: observed
          counts_for: 30m
          gates: { approvals: { min: 1, independent: false } }
        - name: world
          after: { any: [eu, us] }
          pins: [env/world/web.yaml]
          merge: automatic
          gates: { soak: 10m, healthy: true }
pin dev web 1.0.0
pin eu web 1.0.0
pin us web 1.0.0
pin world web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect eu pins web 1.1.0
expect us open 1.1.0
expect world none open
observe eu 1.1.0 2/2
wait 9m
expect world hold 1.1.0 soaks in eu
wait 1m
expect us open 1.1.0
expect world pins web 1.1.0
approve us by li
expect us pins web 1.1.0
# where it passed it is not healthy, and where it would be healthy it has not passed
push web 1.2.0
expect eu pins web 1.2.0
observe eu 1.2.0 2/2
wait 9m
observe eu 1.2.0 1/2 degraded crash loop
approve us by li
observe us 1.2.0 2/2
wait 5m
expect world none open
expect world hold soaks in us
wait 5m
expect world pins web 1.2.0
