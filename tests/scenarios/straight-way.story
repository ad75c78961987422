# A new digest travels to prod: automatic in dev and staging, by approval in prod.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
expect dev pins web 1.0.0
expect dev no hold
push web 1.1.0
expect dev pins web 1.1.0
expect staging hold 1.1.0 soaks in dev until 2026-03-02 09:30:00 UTC
expect staging none open
wait 29m59s
expect staging none open
wait 1s
expect staging pins web 1.1.0
expect prod hold soaks in staging until 2026-03-02 10:30:00 UTC
wait 1h
expect prod open 1.1.0
expect prod hold approval 0 of 1
expect prod check pending approval 0 of 1
expect prod first screen fits
expect prod body Decision needed: approve `web` 1.1.0 for `prod`
expect prod body comment `/rollback prod` → back to 1.0.0
approve prod by li
expect prod pins web 1.1.0
expect merge of prod says Lockkeeper-Approved-By: li 11 review-
expect merge of prod says Lockkeeper-Lane: normal
expect merges prod 1
expect prod none open
comment operations by rob: /status
expect reply ● **prod** 1.1.0 `sha256:
expect reply `/rollback prod` → back to 1.0.0
