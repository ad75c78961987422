# A hotfix that is asked for while the registry is away waits for it, and is not to be written again; it says which gates it
# skips, the age of the digest among them. After its time it is answered as every command.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, minimum_age: 1h }]
      stages:
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          hotfix: { by: ["team:acme/oncall"] }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.0.1 quietly
registry away
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login
expect no reply
expect prod hold the hotfix to 1.0.1 by sam waits until 2026-03-02 09:15:00 UTC for the registry
comment operations by li: /promote prod to 1.0.1 lane=hotfix INC-1 login
expect reply needs one of: `team:acme/oncall`
wait 10m
registry back
wait 2m
expect prod open 1.0.1
expect prod body Skipped in this lane:** minimum\_age \(1h of web\), window
approve prod by li
expect prod pins web 1.0.1
push web 1.0.2 quietly
registry away
comment operations by sam: /promote prod to 1.0.2 lane=hotfix INC-1 login
expect no reply
wait 16m
expect reply reached lockkeeper more than 15m later
registry back
