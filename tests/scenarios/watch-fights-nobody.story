# Where a person acted since the merge, a watch tells and does nothing else; a person's word ends what it began.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: eu
          pins: [env/eu/web.yaml]
          merge: automatic
          live: observed
          watch: { for: 30m, on_failure: rollback }
        - name: us
          after: []
          pins: [env/us/web.yaml]
          merge: automatic
          live: observed
          watch: { for: 30m, on_failure: rollback }
          rollback: { by: ["team:acme/oncall", "team:acme/sre"], approvals: 1 }
push web 1.0.0
pin eu web 1.0.0
pin us web 1.0.0
start
push web 1.1.0
comment operations by kim: /hold eu I look at it
comment operations by kim: /resume eu it is well
observe eu 1.1.0 0/2 degraded crash loop
expect eu pins web 1.1.0
expect eu no hold
expect merged eu says `kim` said `/resume` here since the merge
observe us 1.1.0 0/2 degraded crash loop
expect us open 1.0.0
expect us hold approval 0 of 1
expect us pins web 1.1.0
comment us by sam: /resume us we mend it
expect us none open
expect closed us says a person acted in the stage since
expect us pins web 1.1.0
observe us 1.1.0 0/2 degraded crash loop
expect us none open
