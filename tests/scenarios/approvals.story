# Whose approval counts: not the wrong person's, not the requester's, not one of an older head.
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
expect prod hold `tom` is not among those who may approve
expect prod pins web 1.0.0
comment prod by rob: /promote prod
expect reply Not allowed
comment prod by maria: /retry
expect reply another attempt
expect prod open 1.1.0
request-changes prod by kim
expect prod hold kim asked for changes
approve prod by li
expect prod hold kim asked for changes
expect prod pins web 1.0.0
dismiss prod by kim
expect prod pins web 1.1.0
