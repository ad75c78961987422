# A veto closes what is open, and counts here and downstream until it is taken back.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
comment prod by maria: /veto latency
expect prod none open
expect closed prod says is vetoed by `maria`
wait 5m
expect prod none open
comment operations by maria: /promote prod to 1.1.0
expect reply vetoed
comment operations by maria: /unveto 1.1.0 looked again
expect prod open 1.1.0
approve prod by li
expect prod pins web 1.1.0
