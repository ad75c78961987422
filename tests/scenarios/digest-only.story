# A pin without a tag has an order all the same: that of the tag by which its digest came.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - { name: dev, pins: [env/dev/kustomization.yaml], merge: automatic }
file env/dev/kustomization.yaml:
  images:
    - name: registry.test/shop/web
      digest: sha256:133c0a531d6380e24a59b442d7aac6153d97a6a199d2ac92c47bc84567a8b875
push web 1.0.0
start
push web 1.2.0
expect merges dev 1
# A backport, and the newest is taken away: what was seen just now is not newer for that.
push web 1.1.0
untag web 1.2.0
wait 10m
expect dev hold 1.1.0 is older than 1.2.0, which is pinned
expect dev none open
expect merges dev 1
push web 1.3.0
expect merges dev 2
