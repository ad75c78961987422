# A veto does not expire on its way, nor does the hold of the stage that it hits.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
comment operations late by maria: /veto 1.1.0 leaks memory
expect reply is vetoed
wait 2h
expect prod none open
expect prod pins web 1.0.0
