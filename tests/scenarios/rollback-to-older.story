# Further back by name, and not to what never was there.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
push web 1.2.0
wait 30m
wait 1h
approve prod by li
expect prod pins web 1.2.0
comment operations by sam: /rollback prod to 9.9.9
expect reply no release `9.9.9` was live
comment operations by sam: /rollback prod to 1.2.0
expect reply is live here already
comment operations by sam: /rollback prod to 1.0.0 two back
expect prod pins web 1.0.0
