# How many have to approve depends on how much changes for the stage: a major change waits at one, a minor one goes in.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, major: 2, from: ["team:acme/sre"], independent: false } } }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect prod hold approval 0 of 1 (minor change: 1 needed)
approve prod by kim
expect merge of prod says Lockkeeper-Approved-By: kim
expect merged prod body minor change: 1 needed
expect prod pins web 1.1.0
push web 2.0.0
expect prod open 2.0.0
expect prod body major change: 2 needed
expect prod first screen fits
approve prod by kim
expect prod hold approval 1 of 2 (major change: 2 needed)
expect prod check pending approval 1 of 2 (major change: 2 needed)
expect prod pins web 1.1.0
approve prod by li
expect prod pins web 2.0.0
# Asked for by hand it is judged alike, and who asked is none of the two.
push web 3.0.0
close prod by tom
comment operations by maria: /promote prod to 3.0.0 we need it
expect prod open 3.0.0
approve prod by maria
expect prod hold approval 0 of 2 (major change: 2 needed)
approve prod by kim
expect prod hold approval 1 of 2 (major change: 2 needed)
wait 1m
# Fewer for a major change is looser: what was approved before is void.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: prod, pins: [env/prod/web.yaml], gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } } }
expect prod body approvals of a major change lowered from 2 to 1
expect prod hold approved before the gates were loosened
expect prod pins web 2.0.0
wait 1m
approve prod by li
expect prod pins web 3.0.0
