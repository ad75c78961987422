# A merge waits until what a rollback would go to afterwards is known to be in the registry, and protected where we may.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: prod
          pins: [env/prod/web.yaml]
          merge: automatic
          gates: { rollback_ready: true }
          rollback: { by: ["team:acme/oncall"] }
          hotfix: { by: ["team:acme/oncall"] }
pin prod web 1.0.0 tag-only
push web 1.0.0
probes every 20m
registry takes tags
start
# The first release of a stage has nothing to go back to.
expect merges prod 1
expect merged prod body nothing was here before that a rollback could go to
expect prod pins web 1.0.0
push web 1.1.0
expect prod pins web 1.1.0
expect merged prod body a rollback would go to 1.0.0: available, 2 of 2 platforms, protected
# What is live is gone from the registry: nothing newer goes in by the usual way.
remove web 1.1.0
wait 21m
push web 1.2.0
expect prod open 1.2.0
expect prod hold is not in the registry: push it again, by the same digest
expect prod check pending a rollback would go to 1.1.0, and
expect prod body (rollback_ready)
expect merges prod 2
registry away
wait 21m
expect prod hold a rollback would go to 1.1.0, and whether registry.test/shop/web has it is not known: the registry gives no answer since
expect merges prod 2
registry back
push web 1.1.0 quietly
wait 21m
expect prod pins web 1.2.0
expect merges prod 3
# A hotfix does not ask, and says so; nor does the way back itself.
remove web 1.2.0
wait 21m
push web 1.3.0
expect prod hold is not in the registry: push it again, by the same digest
comment operations by sam: /promote prod to 1.3.0 lane=hotfix INC-1 login
expect reply rollback\_ready
expect prod pins web 1.3.0
comment merged prod by sam: /rollback prod
expect prod pins web 1.1.0
