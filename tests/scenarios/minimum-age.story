# A digest counts when lockkeeper has known it for so long, whatever the image says of itself.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, minimum_age: 2h }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
expect dev no hold
push web 1.1.0
expect dev hold 1.1.0 of registry.test/shop/web counts from 2026-03-02 11:00:00 UTC on: `minimum_age` 2h
comment operations by maria: /promote dev
expect reply counts from
comment operations by maria: /promote dev to 1.1.0
expect reply counts from
wait 1h
wait 59m
wait 59s
expect dev pins web 1.0.0
wait 1s
expect dev pins web 1.1.0
expect prod pins web 1.1.0
# Withdrawn in time: it never counted.
push web 1.2.0
expect dev hold 1.2.0 of registry.test/shop/web counts from
remove web 1.2.0
wait 3h
expect dev pins web 1.1.0
expect dev no hold
# Pushed more often than that, the newest is always too young: what is old enough goes in meanwhile.
push web 1.3.0
wait 1h
push web 1.4.0
expect dev hold 1.3.0 of registry.test/shop/web counts from
wait 59m
expect dev pins web 1.1.0
wait 1m
expect dev pins web 1.3.0
expect dev hold 1.4.0 of registry.test/shop/web counts from
expect prod pins web 1.3.0
push web 1.5.0
wait 1h
expect dev pins web 1.4.0
# Withdrawn in time counts as little where something else is the newest.
push web 1.6.0
remove web 1.5.0
wait 1h
expect dev pins web 1.4.0
wait 1h
expect dev pins web 1.6.0
