# With a broken lockkeeper.yaml only rollback and hold work, by the rules of its last valid commit; it is said so.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
rules:
  version: 1
  pipelines:
    - name: web
      oops: true
expect error lockkeeper.yaml line 4
expect operations says lockkeeper.yaml is broken
push web 1.2.0
expect dev pins web 1.1.0
expect dev hold lockkeeper.yaml is broken
comment operations by maria: /promote dev
expect reply lockkeeper.yaml is broken
comment operations by li: /hold dev
expect reply is held
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
