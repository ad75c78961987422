# A version that moves to another digest is refused and said.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.0.0 as other
expect dev hold moved from
expect dev pins web 1.0.0
push web 1.0.1
expect dev pins web 1.0.1
