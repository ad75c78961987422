# An hour that is left out when clocks are set forward is in no window; one that comes twice is in it twice.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: prod
          pins: [env/prod/web.yaml]
          merge: automatic
          gates: { window: { days: sun, hours: "02:30-04:00", zone: Europe/Berlin } }
pin prod web 1.0.0
push web 1.0.0
start
clock forward 26d15h
push web 1.1.0
expect prod hold opens Sun 2026-03-29 03:00 CEST (2026-03-29 01:00:00 UTC)
wait 59m59s
expect prod pins web 1.0.0
wait 1s
expect prod pins web 1.1.0
wait 59m59s
push web 1.2.0
expect prod pins web 1.2.0
wait 1s
push web 1.3.0
expect prod hold opens Sun 2026-04-05 02:30 CEST (2026-04-05 00:30:00 UTC)
clock forward 90d
clock forward 90d
clock forward 29d22h30m
expect prod pins web 1.3.0
wait 30m
push web 1.4.0
expect prod hold opens Sun 2026-10-25 02:30 CET (2026-10-25 01:30:00 UTC)
wait 29m59s
expect prod pins web 1.3.0
wait 1s
expect prod pins web 1.4.0
