# An image goes in where cosign says that one of the identities signed it; who that is stands in the record, which outlives
# the store. Where cosign cannot be asked, the gate is shut.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images:
        - repository: registry.test/shop/web
          follow: { semver: ">=1.0" }
          signed_by:
            - keyless: { identity: kim@example.com, issuer: "https://accounts.example.com" }
            - keyless: { identity: "https://git.example/shop/web/.ci/release.yml@refs/tags/*", issuer: "https://ci.example" }
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
pin dev web 1.0.0
push web 1.0.0
start
cosign fails: it cannot be run
push web 1.1.0
expect dev hold is unknown: keyless signatures cannot be verified: it cannot be run
expect dev none open
cosign back
wait 6m
expect dev hold is not signed by `kim@example.com` of `https://accounts.example.com` or
expect dev hold cosign finds no keyless signature that counts: no matching signatures
sign web 1.1.0 by https://git.example/shop/other/.ci/release.yml@refs/tags/v1 without key
wait 6m
expect dev pins web 1.0.0
sign web 1.1.0 by https://git.example/shop/web/.ci/release.yml@refs/tags/v1.1.0 without key
wait 6m
expect dev pins web 1.1.0
expect merged dev body is signed by `https://git.example/shop/web/.ci/release.yml@refs/tags/*` of `https://ci.example`, as cosign says
expect merge of dev says by https://git.example/shop/web/.ci/release.yml@refs/tags/* of https://ci.example said by cosign
lose store
expect dev pins web 1.1.0
