# The clock of the server jumps back and forth: nothing starves, nothing opens early, no time counts below zero.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect dev pins web 1.1.0
expect staging hold 1.1.0 soaks in dev until
clock back 3h
expect staging hold 1.1.0 soaks in dev until
push web 1.2.0
expect dev pins web 1.2.0
wait 29m
expect staging pins web 1.0.0
wait 1m
expect staging pins web 1.2.0
clock back 30d
restart
expect staging pins web 1.2.0
expect prod hold 1.2.0 soaks in staging until
# The clock is right again, and later than ever.
clock forward 32d
expect prod open 1.2.0
# An approval and a merge that are older than what they are for.
clock back 5h
approve prod by li
expect prod pins web 1.2.0
comment operations by tom: /hold dev until 2h moving the cluster
expect dev hold held by tom
clock back 2d
push web 1.3.0
expect dev pins web 1.2.0
clock forward 4d
expect dev pins web 1.3.0
expect merges dev 3
expect merges staging 1
expect merges prod 1
