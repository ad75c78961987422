# A person pins something new by hand: the rollback goes back to what was there before.
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
push web 1.9.9
pin prod web 1.9.9
expect prod hold held, changed out of band
wait 1m
comment operations by sam: /rollback prod
expect prod pins web 1.1.0
