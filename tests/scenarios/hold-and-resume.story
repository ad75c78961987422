# A hold stops opening and merging until it is lifted, or until its time.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
comment operations by li: /hold dev until 2h moving the cluster
push web 1.1.0
expect dev hold held by li
expect dev none open
comment operations by maria: /promote dev
expect reply held by li
wait 1h59m
expect dev pins web 1.0.0
wait 1m
expect dev pins web 1.1.0
comment operations by li: /hold prod
wait 30m
wait 1h
expect prod none open
comment operations by rob: /resume prod
expect reply Not allowed
comment operations by sam: /resume prod
expect prod open 1.1.0
comment operations by sam: /resume prod
expect reply is not held
comment prod by li: /hold
approve prod by li
expect prod pins web 1.0.0
comment prod by sam: /resume
expect prod pins web 1.1.0
