# A person pins by hand what waits for approval: out of band, and never recorded as approved.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
pin prod web 1.1.0
expect prod hold held, changed out of band
expect prod none open
expect merges prod 0
