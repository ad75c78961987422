# The registry loses the newest version: the one before it is not promoted again.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 0.9.0
push web 1.0.0
push web 1.0.5
start
push web 1.1.0
expect dev pins web 1.1.0
untag web 1.1.0
forged delivery web 1.0.5
expect dev hold 1.0.5 is older than 1.1.0
expect dev pins web 1.1.0
push web 1.2.0
expect dev pins web 1.2.0
