#!/usr/bin/env bash
# Builds an earlier version of Keyway from git, for the tests that run it beside this one, and prints where its
# binary is. Touches nothing outside target/previous.
#
#   scripts/previous_version.sh [revision]
#
# Without a revision: the last tag, or, where there is none, the commit before the newest change to migrations/, so
# that it meets a schema it does not know. A build takes minutes the first time, and next to none after that.
set -euo pipefail
cd "$(dirname "$0")/.."

revision=${1:-}
if [ -z "$revision" ]; then
    revision=$(git describe --tags --abbrev=0 2>/dev/null || true)
fi
if [ -z "$revision" ]; then
    revision=$(git log -1 --format=%H -- migrations/src)^
fi
commit=$(git rev-parse --verify --quiet "$revision^{commit}") || {
    echo "previous_version.sh: no such revision: $revision" >&2
    exit 1
}

home=$PWD/target/previous
source=$home/source
if [ -e "$source/.git" ]; then
    git -C "$source" checkout --quiet --detach "$commit"
else
    rm -rf "$source"
    git worktree prune
    git worktree add --quiet --detach "$source" "$commit"
fi
# At low priority: nobody waits for it but this scenario.
(cd "$source" && CARGO_TARGET_DIR=$home/target nice -n 19 cargo build --locked --quiet --bin keyway) >&2
echo "previous version: $commit" >&2
echo "$home/target/debug/keyway"
