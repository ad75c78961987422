# A rollback overtakes a pull request for the very release that it goes to.
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
comment operations by maria: /unveto 1.1.0
comment operations by sam: /resume prod
expect prod open 1.1.0
wait 1m
comment operations by sam: /rollback prod to 1.1.0
expect prod pins web 1.1.0
expect prod none open
