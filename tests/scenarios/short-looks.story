# Each look ends before all is done: what people asked for stays open until it has its answer.
looks are short
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
expect prod pins web 1.1.0
push web 1.2.0
wait 30m
wait 1h
expect prod open 1.2.0
comment prod by sam: /rollback prod INC-2041 p99 too high\n/hold dev
expect reply Rolling `prod` back: `1.1.0` → `1.0.0`
expect prod pins web 1.0.0
expect prod none open
expect prod hold held after a rollback by sam
expect dev hold held by sam
