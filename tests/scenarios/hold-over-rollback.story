# A person's hold does not weaken the one that a rollback put; a second rollback still says that it is there.
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
comment operations by li: /hold prod until 10m look
expect reply is held already
expect prod hold held after a rollback by sam
wait 11m
expect prod hold held after a rollback by sam
comment operations by sam: /rollback prod
expect reply is already there
push web 1.2.0
wait 30m
wait 1h
expect prod none open
