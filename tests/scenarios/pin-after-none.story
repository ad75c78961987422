# A digest that a person puts where one was taken away is no first sight: the stage is held.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
pin prod web 1.0.0 tag-only
expect prod hold changed out of band
comment operations by sam: /resume prod
expect prod no hold
push web 0.9.0 quietly
pin prod web 0.9.0
expect prod hold changed out of band
