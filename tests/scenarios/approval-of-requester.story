# The person who asked for a promotion does not count as its approver.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
close prod by li
expect prod none open
expect prod hold was refused for prod
comment operations by maria: /promote prod to 1.1.0 we need it
expect reply your own approval does not count
expect prod open 1.1.0
approve prod by maria
expect prod hold `maria` asked for this promotion
approve prod by kim
expect prod pins web 1.1.0
expect merge of prod says Lockkeeper-Requested-By: maria 13 comment
expect merge of prod says Lockkeeper-Reason: we need it
