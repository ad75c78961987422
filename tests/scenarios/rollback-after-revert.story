# After a person's `git revert` a rollback does not bring the reverted release back.
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
pin prod web 1.0.0
expect prod hold held, changed out of band
comment operations by sam: /rollback prod
expect reply 1.1.0 was reverted by somebody
expect prod pins web 1.0.0
