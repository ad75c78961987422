# A second rollback says that the stage is there already; further back only by name.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
wait 1m
comment operations by sam: /rollback prod
expect reply is already there
expect merges prod 2
