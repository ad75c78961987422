# A required check, by its app: missing, running, failed and passed.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: dev
          pins: [env/dev/web.yaml]
          merge: automatic
          gates: { checks: [{ name: e2e, app: ci }] }
pin dev web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect dev open 1.1.0
expect dev hold has not reported
check e2e runs on dev
expect dev hold is running
check e2e fails on dev
expect dev hold failed
person merges dev by li
check other passes on dev
expect dev pins web 1.0.0
check e2e passes on dev
expect dev pins web 1.1.0
