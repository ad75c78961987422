# A hotfix passes the stages before, their time and the window; by the people whom the stage names, with a reason. Approvals
# and stops are kept.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates:
            soak: 1d
            approvals: { min: 1, from: ["team:acme/sre"], independent: false }
            window: { days: sat, hours: "09:00-10:00", zone: UTC }
          rollback: { by: ["team:acme/oncall"] }
          hotfix: { by: ["team:acme/oncall"] }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
push web 1.0.1 quietly
expect dev pins web 1.1.0
comment operations by maria: /promote prod to 1.0.1 lane=hotfix INC-1 login
expect reply needs one of: `team:acme/oncall`
comment operations by sam: /promote dev to 1.2.0 lane=hotfix INC-1 login
expect reply the stage has no `hotfix: { by: [...] }`
comment operations by sam: /promote prod to 1.0.1 lane=hotfix
expect reply needs a reason
comment operations by sam: /promote prod lane=hotfix INC-1 login
expect reply names its release
comment operations by sam: /promote prod to 1.0.9 lane=hotfix INC-1 login
expect reply 1.0.9 is not in the registry
comment operations by li: /hold prod look first
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login
expect reply held by li
comment operations by sam: /resume prod
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login fails
expect reply as a hotfix
expect prod open 1.0.1
expect prod body Skipped in this lane:** upstream, soak \(1d\), window \(
expect prod first screen fits
expect prod hold approval 0 of 1
comment operations by maria: /promote prod to 1.1.0
expect reply is under way
comment prod by kim: /veto broken as well
expect prod none open
expect closed prod says is vetoed by
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login fails
expect reply is vetoed
comment operations by kim: /unveto 1.0.1
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login fails
comment prod by li: /hold
approve prod by li
expect prod pins web 1.0.0
comment prod by sam: /resume
expect prod pins web 1.0.1
expect merge of prod says Lockkeeper-Lane: hotfix
expect merge of prod says Lockkeeper-Reason: INC-1 login fails
expect merge of prod says hotfix(prod): web 1.0.0 → 1.0.1
expect dev pins web 1.1.0
comment operations by sam: /promote prod to 1.0.1 lane=hotfix INC-1 login fails
expect reply `prod` pins `1.0.1` already
comment operations by sam: /promote prod to 1.0.0 lane=hotfix INC-1 login fails
expect reply is older than what `prod` pins
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
