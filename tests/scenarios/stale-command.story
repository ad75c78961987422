# A command that arrives late is answered and not carried out; a hold does not expire.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
comment operations late by sam: /rollback prod
expect reply more than 15m later
expect prod pins web 1.1.0
comment operations late by li: /hold prod
expect reply is held
