# Independent approvals need to know who wrote the code; unknown authors shut the gate and name the setting.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"] } } }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
approve prod by li
expect prod hold unknown_authors: allow
expect prod pins web 1.0.0
