# Forged, doubled, reordered and late deliveries change when something happens, never what.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
forged delivery web 9.9.9
expect dev pins web 1.0.0
push web 1.2.0 quietly
push web 1.1.0
expect dev pins web 1.2.0
forged delivery web 1.1.0
forged delivery web 1.2.0
expect dev pins web 1.2.0
expect merges dev 1
# Nothing told of this one: polling finds it.
push web 1.3.0 quietly
expect dev pins web 1.2.0
wait 6m
expect dev pins web 1.3.0
