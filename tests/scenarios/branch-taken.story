# The name of our branch is a person's already: theirs stays as it is, and the next attempt takes the next name.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
person takes branch lockkeeper/normal/dev/web/33d1f2445fb2-1
push web 1.1.0
expect dev pins web 1.1.0
expect merges dev 1
expect branch lockkeeper/normal/dev/web/33d1f2445fb2-1 is theirs
