# What a rollback undoes is looked through for what an older image may not undo; not being able to never stops it.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images:
        - { repository: registry.test/shop/web, follow: { semver: ">=1.0" }, attention: [migrations/, schema.sql] }
      stages:
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic }
source migrations/0001 by li
source code by li
source migrations/0002 by kim
source more-code by kim
pin prod web 1.0.0
push web 1.0.0 revision migrations/0001
start
push web 1.1.0 revision code
expect prod pins web 1.1.0
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
expect merged prod body none of the 1 commits it undoes touched `migrations/`, `schema.sql`
comment merged prod by sam: /resume
push web 1.2.0 revision more-code
expect prod pins web 1.2.0
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
expect merged prod body **look:** 1 of the 3 commits it undoes touched `migrations/`
# an image that names no commit
comment merged prod by sam: /resume
push web 1.3.0
expect prod pins web 1.3.0
comment merged prod by sam: /rollback
expect prod pins web 1.0.0
expect merged prod body whether commits it undoes touched `migrations/`, `schema.sql`: unknown
