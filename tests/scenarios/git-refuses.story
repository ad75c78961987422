# The git host refuses a branch: it is said, other stages go on and are protected, and a rollback of the same stage is not
# in its way.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: eu, after: [dev], pins: [env/eu/web.yaml], merge: automatic }
        - { name: us, after: [dev], pins: [env/us/web.yaml], merge: automatic, channel: us }
pin dev web 1.0.0
pin eu web 1.0.0
pin us web 1.0.0
push web 1.0.0
registry takes tags
start
push web 1.1.0
expect eu pins web 1.1.0
git refuses normal/eu
push web 1.2.0
expect us pins web 1.2.0
expect eu pins web 1.1.0
expect eu hold not in these days
expect tag web us is 1.2.0
expect tag web anchor-of-1.2.0 is 1.2.0
comment operations by sam: /rollback eu
expect eu pins web 1.0.0
git accepts
wait 6m
expect eu pins web 1.0.0
comment operations by sam: /resume eu
expect eu pins web 1.2.0
