# Another pin of the image comes to the base while a pull request is open: it is made anew, and both move.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
file env/prod/web.yaml:
  # kept as it is
  apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: web
  spec:
    template:
      spec:
        initContainers:
          - name: migrate
            image: registry.test/shop/web:1.0.0@sha256:133c0a531d6380e24a59b442d7aac6153d97a6a199d2ac92c47bc84567a8b875
        containers:
          - name: web
            image: registry.test/shop/web:1.0.0@sha256:133c0a531d6380e24a59b442d7aac6153d97a6a199d2ac92c47bc84567a8b875   # the pin
            env: [{ name: A, value: "1" }]
expect closed prod says are not those that this pull request was made from
expect prod open 1.1.0
approve prod by li
expect merges prod 1
expect prod no hold
