# A person who closes a pull request refuses that release for the stage; the next one is proposed all the same.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
close prod by li
wait 5m
expect prod none open
push web 1.2.0
wait 30m
wait 1h
expect prod open 1.2.0
