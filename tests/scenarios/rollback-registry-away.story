# The rollback lane needs git and the forge alone.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
registry away
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
registry back
