# Tags of commits have no order: the image that was created last counts, whatever its tag, and whenever it was pushed.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      images: [{ repository: registry.test/shop/web, follow: { newest: true, ignore: '^main$' } }]
      stages:
        - { name: dev, pins: [env/dev/web.yaml], merge: automatic }
        - { name: prod, pins: [env/prod/web.yaml], merge: automatic, gates: { soak: 5m } }
pin dev web 9f2c41a
pin prod web 9f2c41a
push web 9f2c41a created 2026-03-01T10:00:00Z
start
expect dev no hold
push web 0a1b2c3 created 2026-03-01T11:00:00Z
expect dev pins web 0a1b2c3
push web main as abc123f created 2026-03-01T12:00:00Z
push web fedc123 created 2026-03-01T10:59:59Z
expect dev pins web 0a1b2c3
wait 5m
expect prod pins web 0a1b2c3
# Two of one second, and one that does not say: nobody guesses.
push web 5555aaa created 2026-03-01T11:00:00Z
expect dev hold `0a1b2c3` and `5555aaa` were created in one second
remove web 5555aaa
push web 4444aaa created unknown
expect dev hold tag `4444aaa` does not say when it was created
remove web 4444aaa
# It moves: refused, and it stays refused.
push web 0a1b2c3 as other created 2026-03-01T13:00:00Z
expect dev hold version 0a1b2c3 of registry.test/shop/web moved from
expect dev pins web 0a1b2c3
push web 7777aaa created 2026-03-01T14:00:00Z
expect dev pins web 7777aaa
