# Registry or forge away in mid-story: nothing is guessed, and it goes on when they are back.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
registry away
push web 1.1.0
expect dev pins web 1.0.0
expect dev hold connection refused
registry back
wait 6m
expect dev pins web 1.1.0
forge away
push web 1.2.0
expect dev pins web 1.1.0
forge back
wait 6m
expect dev pins web 1.2.0
