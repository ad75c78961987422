# A comment that arrives twice is carried out once; an edited one never.
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
deliver last comment again
expect merges prod 2
wait 5m
expect merges prod 2
comment operations by sam: looks good
expect no reply
edit last comment by sam: /resume prod
deliver last comment again
expect no reply
expect prod hold held after a rollback
