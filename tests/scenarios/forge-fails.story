# Some calls to the forge fail: nothing is guessed, nothing is done twice, and a later look goes on.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
forge fails 4 calls
push web 1.1.0
expect dev pins web 1.0.0
wait 2m
wait 2m
wait 3m
wait 3m
expect dev pins web 1.1.0
expect merges dev 1
forge fails 2 calls
comment operations by li: /hold prod
wait 2m
wait 2m
wait 3m
expect prod hold held by li
expect reply held
