# The registry loses the newest image: what is left was created earlier, though it was never seen before. Never backwards.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { newest: true } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web 9f2c41a
push web 9f2c41a created 2026-03-01T10:00:00Z
push web 0a1b2c3 created 2026-03-01T09:00:00Z
start
push web abc123f created 2026-03-01T11:00:00Z
expect dev pins web abc123f
untag web abc123f
push web 5555aaa created 2026-03-01T08:00:00Z
expect dev hold 9f2c41a is older than abc123f
untag web 9f2c41a
push web 4444aaa created 2026-03-01T07:00:00Z
expect dev hold 0a1b2c3 is older than abc123f
expect dev pins web abc123f
