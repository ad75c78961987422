# Only the configured people roll back.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
comment operations by li: /rollback prod
expect reply Not allowed
expect reply on-call (`team:acme/oncall`)
comment operations by rob: /rollback prod
expect reply Not allowed
expect prod pins web 1.1.0
comment operations by ana: /rollback prod
expect reply Not allowed
comment operations by sam: /rollback prod
expect prod pins web 1.0.0
