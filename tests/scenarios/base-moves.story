# The base moves: elsewhere in the repository it does not matter; in the same lines it means another attempt.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
file README.md:
  hello
expect prod open 1.1.0
file env/prod/web.yaml:
  # kept as it is, and rewritten
  kind: Deployment
  spec:
    template:
      spec:
        containers:
          - image: registry.test/shop/web:1.0.0@sha256:74fb1cd6d4f7d2c6a3db1e7c6f1b5f0a  # broken
expect prod hold env/prod/web.yaml
