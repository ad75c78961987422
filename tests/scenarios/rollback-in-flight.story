# A rollback overtakes a promotion in flight, closes its pull request, and the stage stays rolled back.
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
comment prod by sam: /rollback prod INC-2041 p99 too high
expect reply Rolling `prod` back: `1.1.0` → `1.0.0`
expect prod pins web 1.0.0
expect prod none open
expect closed prod says a rollback to `1.0.0` by `sam` overtakes it
expect prod hold held after a rollback by sam
expect merge of prod says Lockkeeper-Lane: rollback
expect merge of prod says Lockkeeper-Incident: INC-2041
wait 2h
expect prod pins web 1.0.0
expect prod none open
