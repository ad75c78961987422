# Where no version tells which is newer, what was there before a hotfix is older, and what comes after it is newer; but the
# stages before it are not thrown back: a person says so. A promotion that is open gives way.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { tag: main } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic, supersede: newer }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 1h, approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          hotfix: { by: ["team:acme/oncall"] }
pin dev web main
pin prod web main
push web main
start
push web main as one
wait 1h
expect prod open main
push web main as two
push web fix-1 quietly
comment prod by sam: /promote prod to fix-1 lane=hotfix INC-1 login
expect reply No follow rule picks
expect closed prod says takes its place
expect prod open fix-1
expect prod body No follow rule picks
approve prod by li
expect prod pins web fix-1
expect dev pins web main/two
expect dev hold fix-1 is live in prod by a hotfix, and no follow rule says whether it is newer
wait 2h
expect prod none open
expect prod pins web fix-1
restart
expect prod none open
comment operations by maria: /promote dev to fix-1
expect dev pins web fix-1
push web main as three
expect dev pins web main/three
wait 1h
approve prod by li
expect prod pins web main/three
