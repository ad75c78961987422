# A person's commit that changes a pin: the stage is held at once, never fought, and resume goes on.
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
expect prod pins web 1.0.0
wait 1h
expect prod none open
comment operations by sam: /resume prod
expect prod open 1.1.0
