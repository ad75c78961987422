# A forge that takes no words for a while: what decides goes on, a rollback first, and the words come later.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
forge mute
approve prod by li
expect prod pins web 1.1.0
expect merges prod 1
comment operations by sam: /rollback prod INC-3
expect prod pins web 1.0.0
expect no reply
push web 1.2.0
expect dev pins web 1.2.0
forge back
wait 2m
expect reply prod
expect merged prod says **Held** by `sam`
expect merges prod 2
