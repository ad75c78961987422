# A registry that is not to be believed, or does not know us any more: that is not "nothing there".
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
registry lies
push web 1.1.0
expect dev hold cannot be trusted
expect dev pins web 1.0.0
registry denies
wait 6m
expect dev hold denies access
expect dev none open
registry back
wait 6m
expect dev pins web 1.1.0
