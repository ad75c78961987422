# A registry that keeps its connections open and says nothing: it is given up, and a rollback does not wait for it.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
registry hangs
forged delivery web 1.2.0
expect dev hold takes too long
expect dev pins web 1.1.0
comment operations by sam: /rollback prod INC-4
expect prod pins web 1.0.0
registry back
push web 1.2.0
expect dev pins web 1.2.0
