# A version that moves before anything of it is merged is refused as well; what was reviewed is what is merged.
rules:
  version: 1
  pipelines:
    - name: web
      start: now
      owner: team:acme/owners
      images: [{ repository: registry.test/shop/web, follow: { numeric: true, extract: '^build-(?<key>\d+)$' } }]
      stages:
        - name: dev
          pins: [env/dev/web.yaml]
          gates: { approvals: { min: 1, independent: false } }
pin dev web build-9
push web build-9
start
push web build-10
expect dev open build-10
push web build-10 as other
expect dev hold version build-10 of registry.test/shop/web moved from
approve dev by li
expect dev pins web build-10
expect dev hold version build-10 of registry.test/shop/web moved from
push web build-11
expect dev open build-11
