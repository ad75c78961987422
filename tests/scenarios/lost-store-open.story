# The store is lost while a pull request is open: it is found again, and merged once.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
lose store
wait 1h
expect prod open 1.1.0
approve prod by li
expect prod pins web 1.1.0
expect prod none open
expect merges prod 1
