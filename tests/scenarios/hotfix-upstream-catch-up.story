# The first stage gets a hotfix as well, where it has something older, and from there it goes on the usual way; what is newer
# and comes the usual way comes instead.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0", ignore: "^1[.]2[.]" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: staging, pins: [env/staging/web.yaml], gates: { soak: 1h, approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { soak: 1h, approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          hotfix: { by: ["team:acme/oncall"] }
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
push web 1.2.0 quietly
comment operations by sam: /promote prod to v1.2.0 lane=hotfix INC-1 login
approve prod by li
expect prod pins web 1.2.0
expect dev pins web 1.2.0
expect staging none open
wait 1h
expect staging open 1.2.0
expect staging pins web 1.0.0
approve staging by li
expect staging pins web 1.2.0
push web 1.1.5
expect dev pins web 1.2.0
wait 2h
expect staging none open
expect prod none open
push web 1.3.0
expect dev pins web 1.3.0
wait 1h
expect staging open 1.3.0
approve staging by li
wait 1h
approve prod by kim
expect prod pins web 1.3.0
push web 1.2.9 quietly
comment operations by sam: /promote prod to 1.2.9 lane=hotfix INC-1 login
expect reply is older than what
