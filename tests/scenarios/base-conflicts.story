# The base changes the line of the pin, not the pin: the pull request would conflict, so it is closed and made anew.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
approve prod by tom
person edits prod web
expect closed prod says would not merge cleanly
expect prod open 1.1.0
expect prod hold approval 0 of 1
approve prod by li
expect merges prod 1
expect prod none open
