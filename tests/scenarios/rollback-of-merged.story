# A rollback by a comment on the merged pull request, with no argument; the hold holds, and resume does not bring the
# vetoed release back.
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
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
push web 1.2.0
wait 30m
wait 1h
expect staging pins web 1.2.0
expect prod pins web 1.0.0
expect prod none open
comment merged prod by sam: /resume prod fixed in 1.2.0
expect prod open 1.2.0
approve prod by kim
expect prod pins web 1.2.0
expect merges prod 3
