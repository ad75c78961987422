# Several commands in one comment: all or none; what is not understood is said, and code is no command.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
comment operations by li: /hold dev\n/holdd prod
expect reply Not understood
expect dev no hold
comment operations by rob: /hold dev
expect reply Not allowed
comment operations by li: /hold dev\n/resume prod
expect reply None of the 2 commands was carried out
expect dev no hold
comment operations by li: > /hold dev
expect no reply
comment operations by li: /hold dev\n/hold prod
expect dev hold held by li
expect prod hold held by li
comment operations by li: /hold nowhere
comment operations by rob: /help
expect reply /rollback
comment operations by rob: /explain prod
expect reply held by li
comment operations by rob: /history prod
expect reply adopted
