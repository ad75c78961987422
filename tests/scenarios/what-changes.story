# An image has to have the platforms that the stage has; how much changes stands on the first screen.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"] } } }
source first by li
source second by li
pin prod web 1.0.0
push web 1.0.0 revision first
start
push web 1.1.0 only linux/amd64 revision second
expect prod hold 1.1.0 lacks linux/arm64, which prod has today
expect prod none open
push web latest as 1.1.10 quietly
push web 1.1.10 revision second
expect prod open 1.1.10
expect prod body | version | 1.0.0 | **1.1.10** (minor) |
expect prod body · image +100.0 kB (linux/amd64)
expect prod body 31.6 MB in 2 layer(s), +100.0 kB (1 as before, 1 new)
expect prod body - tags found on it: `1.1.10` `latest`
expect prod body ✓ passed: platforms linux/amd64, linux/arm64
expect prod first screen fits
approve prod by kim
expect prod pins web 1.1.10
