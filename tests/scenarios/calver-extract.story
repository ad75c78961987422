# Dates inside of combined tags: the date is compared, then the build; a date that was there already never comes again.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images:
        - repository: registry.test/shop/web
          follow: { calver: YYYY.0M.0D, extract: '^r(?<key>[0-9.]+)-b(?<build>\d+)-' }
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { soak: 5m } }
pin dev web r2026.02.27-b9-9f2c41a
pin prod web r2026.02.27-b9-9f2c41a
push web r2026.02.27-b9-9f2c41a
start
push web r2026.02.27-b10-0a1b2c3
expect dev pins web r2026.02.27-b10-0a1b2c3
push web 2026.03.01
push web latest
push web r2026.13.01-b1-abc123f
expect dev pins web r2026.02.27-b10-0a1b2c3
push web r2026.03.01-b2-abc123f
expect dev pins web r2026.03.01-b2-abc123f
push web r2026.02.28-b11-abc123f
expect dev pins web r2026.03.01-b2-abc123f
expect dev no hold
wait 5m
expect prod pins web r2026.03.01-b2-abc123f
