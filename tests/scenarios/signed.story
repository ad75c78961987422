# An image goes in where a key of the rules has signed its digest: asked for before it is proposed and before it is merged.
# A rollback passes that, and says what it found.
rules:
  version: 1
  keys:
    release: KEY(release)
    next: KEY(next)
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, signed_by: [release, next] }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          rollback: { by: ["team:acme/oncall"] }
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect dev hold registry.test/shop/web 1.1.0 is not signed by `release` or `next`: the registry has no signature of it
expect dev hold can act: whoever builds and signs the image
expect dev none open
sign web 1.1.0 by stranger
wait 6m
expect dev hold none of 1 signature(s) in the registry counts: none of these keys made it
# What another digest got is not worth more under this one.
sign web 1.1.0 by release of 1.0.0
wait 6m
expect dev hold none of 2 signature(s) in the registry counts: it was made for another digest
sign web 1.1.0 by release as bundle
registry away
wait 6m
expect dev pins web 1.0.0
registry back
wait 6m
expect dev pins web 1.1.0
expect merge of dev says by release
expect merge of dev says kept as bundle
expect prod open 1.1.0
expect prod body is signed by `release`
comment prod by kim: /explain
expect reply approval 0 of 1
# The key is taken out of the rules while the pull request is open.
rules:
  version: 1
  keys:
    next: KEY(next)
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" }, signed_by: next }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          rollback: { by: ["team:acme/oncall"] }
approve prod by kim
expect prod check pending is not signed by next
expect prod pins web 1.0.0
sign web 1.1.0 by next
wait 6m
expect prod pins web 1.1.0
expect merge of prod says Lockkeeper-Signed: registry.test/shop/web
expect merge of prod says by next
expect merge of prod says kept as tag
comment merged prod by sam: /rollback prod it burns
expect prod pins web 1.0.0
expect merged prod body ▲ **`web` is not signed by `next`:** the registry has no signature of it
lose store
expect prod pins web 1.0.0
