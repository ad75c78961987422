# Who wrote the code does not approve it; who did not, may.
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
source third by kim
pin prod web 1.0.0
push web 1.0.0 revision first
start
push web 1.1.0 revision second
approve prod by li
expect prod pins web 1.0.0
expect prod hold approval 0 of 1
approve prod by kim
expect prod pins web 1.1.0
push web 1.2.0 revision third
approve prod by kim
expect prod pins web 1.1.0
approve prod by li
expect prod pins web 1.2.0
