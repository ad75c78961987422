# A veto counts by digest: the same bytes under another tag are vetoed as well.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
comment operations by maria: /veto 1.1.0 bad
expect reply is vetoed in `dev` and downstream
push web 1.1.1 as 1.1.0
wait 30m
expect staging none open
expect staging pins web 1.0.0
