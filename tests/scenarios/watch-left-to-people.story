# A rollback that a watch began, and that waits for an approval, is left to whoever works on the pins meanwhile: it is closed
# once, and begins no more. Their own rollback goes where it would have gone.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: prod
          pins: [env/eu/web.yaml, env/us/web.yaml]
          merge: automatic
          live: observed
          watch: { for: 30m, on_failure: rollback }
          rollback: { by: ["team:acme/oncall", "team:acme/owners"], approvals: 1 }
push web 1.0.0
pin eu web 1.0.0
pin us web 1.0.0
start
push web 1.1.0
expect us pins web 1.1.0
observe prod 1.1.0 0/2 degraded crash loop
expect prod open 1.0.0
pin us web 1.0.0
expect prod none open
expect closed prod says a person acted
wait 1h
expect prod none open
expect merges prod 1
comment operations by sam: /rollback prod
expect reply Rolling `prod` back
expect prod open 1.0.0
approve prod by maria
expect eu pins web 1.0.0
expect us pins web 1.0.0
expect prod hold held after a rollback by sam
