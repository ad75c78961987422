# A promotion is opened outside of the window, and merged within it: from its first second to the one before its end.
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
          gates: { window: { days: mon-thu, hours: "11:00-12:00", zone: Europe/Berlin } }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect prod open 1.1.0
expect prod hold opens Mon 2026-03-02 11:00 CET (2026-03-02 10:00:00 UTC)
expect prod check pending window mon-thu 11:00-12:00 Europe/Berlin
expect prod body waiting: window mon-thu 11:00-12:00 Europe/Berlin opens
expect prod state waiting
wait 59m59s
expect prod pins web 1.0.0
wait 1s
expect prod pins web 1.1.0
wait 59m59s
push web 1.2.0
expect prod pins web 1.2.0
wait 1s
push web 1.3.0
expect prod pins web 1.2.0
expect prod hold opens Tue 2026-03-03 11:00 CET
restart
expect prod pins web 1.2.0
comment operations by sam: /explain
expect reply opens Tue 2026-03-03 11:00 CET
comment operations by sam: /rollback prod
expect prod pins web 1.1.0
