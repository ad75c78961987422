# Where the file wants it, another of those who may roll back has to agree; what is known of the target stands in the pull
# request, and afterwards a review is due.
rules:
  version: 1
  pipelines:
    - name: web
      owner: team:acme/owners
      start: now
      images: [{ repository: registry.test/shop/web, follow: { semver: ">=1.0" } }]
      stages:
        - name: prod
          pins: [env/prod/web.yaml]
          merge: automatic
          rollback: { by: ["team:acme/oncall", "team:acme/sre"], approvals: 1 }
pin prod web 1.0.0
push web 1.0.0
start
push web 1.1.0
expect prod pins web 1.1.0
wait 2h
comment operations by sam: /rollback prod INC-7 it fails
expect prod open 1.0.0
expect prod pins web 1.1.0
expect prod hold approval 0 of 1
expect prod body - ✓ not vetoed
expect prod body **Not skipped:** identity, digests, record, approvals
approve prod by tom
expect prod pins web 1.1.0
approve prod by sam
expect prod pins web 1.1.0
remove web 1.0.0
approve prod by kim
expect prod pins web 1.1.0
expect prod hold is not in the registry
push web 1.0.0
expect prod pins web 1.0.0
expect merged prod body its health then is unknown
expect merged prod says **Review due 2026-03-03 11:00:00 UTC**, by `team:acme/owners`
