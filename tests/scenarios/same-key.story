# Two spellings of one version are one release if they name one digest; else nobody can tell which is meant.
pin dev web 1.0.0
pin staging web 1.0.0
pin prod web 1.0.0
push web 1.0.0
start
push web v1.1.0 as build-1 quietly
push web 1.1.0 as build-1
expect dev pins web 1.1.0/build-1
push web v1.2.0 as build-2 quietly
push web 1.2.0 as build-3
expect dev hold tags `1.2.0` and `v1.2.0` are the same version and name different digests
expect dev pins web 1.1.0/build-1
push web v1.2.0 as build-3
expect dev pins web 1.2.0/build-3
# Another tag of the version that is pinned, with another digest.
remove web build-3
push web v1.2.0 as build-4
expect dev hold is the same version as 1.2.0 and has another digest
