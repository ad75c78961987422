# A channel that somebody else moved is said, and left until the next merge of its stage.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic, channel: staging }
        - name: prod
          pins: [env/prod/web.yaml]
          gates: { approvals: { min: 1, from: ["team:acme/sre"], independent: false } }
          channel: prod
pin dev web 1.0.0
pin prod web 1.0.0
push web 1.0.0
push web 0.9.0
# Somebody's own, from before.
somebody tags web prod as 0.9.0
registry takes tags
probes every 10m
start
expect tag web prod is 0.9.0
expect tag web staging is 1.0.0
expect prod hold channel registry.test/shop/web:prod names
expect prod state drift
wait 11m
push web 1.1.0
expect dev pins web 1.1.0
expect tag web staging is 1.1.0
approve prod by li
expect prod pins web 1.1.0
expect tag web prod is 1.1.0
expect prod no hold
wait 1m
# Told of by the registry, it is looked at soon.
somebody tags web prod as 1.0.0 loudly
expect prod hold somebody else changed it; the next merge in this stage sets it
expect prod state drift
expect tag web prod is 1.0.0
expect history says Drifted
# Told of by nobody, it is found by the next probe.
wait 1m
somebody tags web prod as 1.1.0
wait 11m
expect prod no hold
untag web prod
wait 11m
expect prod hold registry.test/shop/web:prod is gone
expect dev pins web 1.1.0
