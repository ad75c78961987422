# A target that the registry says it does not have is no default target; by name it needs force. That goes for what is
# restored where somebody took the digest away, too.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
approve prod by li
remove web 1.0.0
comment merged prod by sam: /rollback
expect reply is not in the registry
expect prod pins web 1.1.0
comment merged prod by sam: /rollback prod to 1.0.0
expect reply is not in the registry
comment merged prod by sam: /rollback prod to 1.0.0 force it is on the nodes
expect prod pins web 1.0.0
pin prod web 1.0.0 tag-only
comment operations by sam: /rollback prod
expect reply is not in the registry
