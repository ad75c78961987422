# What is degraded while it is watched goes back by itself, in that stage alone; what is on its way downstream is withdrawn.
# That is done once for a release, also where people bring it again.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: eu
          group: prod
          after: dev
          pins: [env/eu/web.yaml]
          merge: automatic
          live: observed
          watch: { for: 30m, on_failure: rollback }
        - name: us
          group: prod
          after: dev
          pins: [env/us/web.yaml]
          merge: automatic
          live: observed
          watch: { for: 30m, on_failure: rollback }
        - name: bank
          after: eu
          pins: [env/bank/web.yaml]
          gates: { approvals: { min: 1, independent: false } }
          hotfix: { by: ["team:acme/oncall"] }
push web 1.0.0
pin dev web 1.0.0
pin eu web 1.0.0
pin us web 1.0.0
pin bank web 1.0.0
start
push web 1.1.0
expect eu pins web 1.1.0
expect us pins web 1.1.0
observe us 1.1.0 2/2
comment operations by sam: /promote bank to 1.1.0 lane=hotfix INC-7 they wait for it
expect bank open 1.1.0
comment operations by maria: /freeze all the books are closed
observe eu 1.1.0 0/2 degraded crash loop
expect eu pins web 1.0.0
expect us pins web 1.1.0
expect eu hold held after a rollback by lockkeeper
expect merged eu body requested by `lockkeeper`, **automatic** after a watch
expect merged eu body watch of 1.1.0 in eu failed: 0/2 run, degraded
expect merge of eu says Lockkeeper-Requested-By: lockkeeper 0 watch
expect merges eu 2
expect bank none open
expect closed bank says vetoed by `lockkeeper`
wait 29m
observe us 1.1.0 2/2
wait 1m
expect history says end: Passed
# once
comment operations by maria: /unfreeze all
comment operations by maria: /unveto 1.1.0
comment operations by sam: /resume eu
expect eu pins web 1.1.0
observe eu 1.1.0 0/2 degraded crash loop
expect eu pins web 1.1.0
expect merged eu says that is done once for a release
expect eu no hold
expect bank hold 1.1.0 is vetoed by lockkeeper
