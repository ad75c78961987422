# Channels follow what the stages pin, the way back first; each image that is needed has an anchor, and no other.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          rollback: { by: ["team:acme/oncall"] }
          channel: prod
          rollback_channel: prod-rollback
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
registry takes tags
start
expect writes of tags anchor,prod
expect tag web prod is 1.0.0
expect tag web prod-rollback is gone
expect tag web anchor-of-1.0.0 is 1.0.0
push web 1.1.0
expect dev pins web 1.1.0
expect tag web anchor-of-1.1.0 is 1.1.0
expect tag web prod is 1.0.0
expect writes of tags anchor
approve prod by li
expect prod pins web 1.1.0
# The way back is named before what replaces it, and 1.1.0 has its anchor since dev.
expect writes of tags prod-rollback,prod
expect tag web prod is 1.1.0
expect tag web prod-rollback is 1.0.0
expect history says Tagged
push web 1.2.0
approve prod by li
expect writes of tags anchor,prod-rollback,prod
expect tag web prod is 1.2.0
expect tag web prod-rollback is 1.1.0
# Nobody goes back to it by default.
expect tag web anchor-of-1.0.0 is gone
comment merged prod by sam: /rollback prod it burns
expect prod pins web 1.1.0
expect tag web prod is 1.1.0
restart
expect tag web prod is 1.1.0
expect tag web anchor-of-1.1.0 is 1.1.0
lose store
expect tag web prod is 1.1.0
expect prod pins web 1.1.0
