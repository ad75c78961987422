# The base changes the pin itself under an open pull request: held as out of band; after resume, made anew.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
wait 30m
wait 1h
expect prod open 1.1.0
pin prod web 1.0.5
expect prod none open
expect prod hold held, changed out of band
expect closed prod says are not those that this pull request was made from
comment operations by sam: /resume prod
expect prod open 1.1.0
approve prod by li
expect prod pins web 1.1.0
expect merge of prod says was 1.0.5@sha256:
