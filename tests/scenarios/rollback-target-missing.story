# What would be gone back to is looked for; where it is missing that is an alarm, and where nobody answers it is unknown.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
registry takes tags
probes every 20m
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
expect prod body back to 1.0.0
expect prod body available, 2 of 2 platforms, protected
approve prod by li
expect prod pins web 1.1.0
wait 21m
expect prod ready available, 2 of 2 platforms, protected
remove web 1.0.0
expect prod no hold
wait 21m
expect prod hold rollback target 1.0.0 is not in the registry
expect prod state failed
expect prod ready missing in the registry
expect history says Missing
registry away
wait 21m
expect prod ready unknown since
expect prod hold this is unknown now
restart
expect prod hold rollback target 1.0.0 is not in the registry
registry back
wait 21m
expect prod ready missing in the registry
push web 1.0.0 quietly
wait 21m
expect prod ready available, 2 of 2 platforms
expect prod no hold
expect history says Found
