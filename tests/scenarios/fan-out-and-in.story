# One stage fans out to two, and a last one waits for both.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: eu, after: [dev], pins: [env/eu/web.yaml], merge: automatic }
        - { name: us, after: [dev], pins: [env/us/web.yaml], gates: { approvals: { min: 1, independent: false } } }
        - { name: world, after: [eu, us], pins: [env/world/web.yaml], merge: automatic, gates: { soak: 10m } }
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
wait 20m
expect world hold waits until 1.1.0 is live in us
approve us by li
expect world hold 1.1.0 soaks in us until
wait 10m
expect world pins web 1.1.0
