# What Kargo's git-clone step does: a bare clone, then a worktree of the branch.
git clone -q --bare "$URL" bare.git
git -C bare.git worktree add -q --detach ../work main
while read -r path new; do cp "$new" "work/$path"; done < edits
cd work
git commit -q -a -m promote
git push -q origin "HEAD:refs/heads/$BRANCH"
