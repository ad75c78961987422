# A version that moves to another digest is refused and said; who means it names the digest.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.0.0 as other
expect dev hold moved from
expect dev pins web 1.0.0
# Its name says nothing of which is meant.
comment operations by maria: /promote dev to 1.0.0
expect reply moved from
expect reply /promote dev to sha256:0a58636e56eb91612c17eca90cdfc9125483d14516cf0533996b562d0c183036
expect dev none open
expect dev pins web 1.0.0
comment operations by maria: /promote dev to 0a58636e56eb
expect dev pins web 1.0.0/other
# A later stage says so as well, in place of "nothing new".
wait 30m
expect staging hold moved from
expect staging pins web 1.0.0
push web 1.0.1
expect dev pins web 1.0.1
wait 30m
expect staging pins web 1.0.1
expect staging no hold
