# A hold does not stop a rollback.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
comment operations by li: /hold prod look first
expect prod hold held by li
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
