# A newer release that has passed takes the place of an open pull request; an approval is not carried over.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 10m, approvals: { min: 2, from: ["team:acme/sre"], independent: false } }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 10m
expect prod open 1.1.0
approve prod by li
expect prod hold approval 1 of 2
push web 1.2.0
# It still soaks: the open one stays.
expect prod open 1.1.0
expect prod hold approval 1 of 2
wait 10m
expect prod open 1.2.0
expect prod hold approval 0 of 2
