# An empty store is rebuilt from git; a stage whose last change is a rollback starts held, and its bad release stays
# vetoed.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
comment merged prod by sam: /rollback INC-7
expect prod pins web 1.0.0
lose store
expect prod hold held after a rollback by sam
expect dev pins web 1.1.0
wait 2h
expect prod none open
comment operations by sam: /resume prod
expect prod none open
comment operations by rob: /history prod
expect reply rolled back
comment operations by rob: /history dev
expect reply promoted
push web 1.2.0
wait 30m
wait 1h
expect prod open 1.2.0
