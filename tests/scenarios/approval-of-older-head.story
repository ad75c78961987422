# An approval is for one head: after a push by a person nothing merges, and a review of the older head counts for nothing.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
remember head prod
person pushes on prod
expect prod hold somebody pushed
expect prod check failed somebody pushed
expect prod says is not overwritten
approve prod by li at remembered head
approve prod by li
expect prod pins web 1.0.0
comment prod by li: /retry
expect prod open 1.1.0
expect prod hold approval 0 of 1
approve prod by li
expect prod pins web 1.1.0
expect merges prod 1
