# A bare mirror and git's plumbing: for each edit the blob, then each tree up its path.
export GIT_DIR="$MIRROR"
git fetch -q origin +main:main
tree=$(git rev-parse "main^{tree}")
while read -r path new; do
  id=$(git hash-object -w "$new") kind=blob mode=100644
  while :; do
    name=${path##*/}
    case $path in */*) folder=${path%/*} parent="$tree:$folder" ;; *) folder="" parent="$tree" ;; esac
    id=$(git ls-tree "$parent" | awk -F'\t' -v n="$name" -v line="$mode $kind $id" \
      '$2 == n { print line "\t" n; next } { print }' | git mktree)
    kind=tree mode=040000
    if [ -z "$folder" ]; then break; fi
    path=$folder
  done
  tree=$id
done < edits
commit=$(git commit-tree -p main -m promote "$tree")
git push -q origin "$commit:refs/heads/$BRANCH"
