# A pipeline that is gone from the rules has its pull requests closed, and is gone from the board.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
rules:
  version: 1
  pipelines:
    - name: other
      images: [{ repository: registry.test/shop/other, follow: { semver: ">=1.0" } }]
      stages:
        - { name: only, pins: [env/only/other.yaml] }
expect prod none open
expect only hold env/only/other.yaml is not in the repository
