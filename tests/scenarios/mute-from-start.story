# A forge that takes no words from the start: the operations issue waits, and nothing waits for it.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
forge mute
start
push web 1.1.0
expect dev pins web 1.1.0
wait 30m
expect staging pins web 1.1.0
forge back
wait 2m
comment operations by li: /hold prod
expect prod hold held by li
