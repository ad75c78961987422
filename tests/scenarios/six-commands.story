# Five commands in a comment, and no more; the name with an at sign is the same as a slash.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
comment operations by li: /hold dev\n/hold staging\n/hold prod\n/status\n/help\n/history
expect reply at most 5 commands
expect dev no hold
comment operations by li: /hold dev\n/hold staging\n/hold prod\n/status\n/help
expect dev hold held by li
expect prod hold held by li
comment operations by sam: @lockkeeper resume dev fine again
expect dev no hold
expect prod hold held by li
comment operations by sam: well, @lockkeeper resume prod
expect no reply
expect prod hold held by li
