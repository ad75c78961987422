# After the store is lost, commands on the pull requests from before still work.
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
lose store
comment number 4 by rob: /status prod
expect reply ● **prod** 1.1.0 `sha256:
comment number 4 by sam: /rollback
expect prod pins web 1.0.0
