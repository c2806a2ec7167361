#!/usr/bin/env bash
# Shows that the chaos runs can fail: builds Keyway with each of the bugs in tests/chaos/bugs and wants the scenario
# that the patch names to report losses. Works on a copy of the last commit under target/seeded; the tree is not touched.
#
#   scripts/seeded_bugs.sh [bug...]
set -euo pipefail
cd "$(dirname "$0")/.."

bugs=("$@")
if [ ${#bugs[@]} -eq 0 ]; then
    for patch in tests/chaos/bugs/*.patch; do bugs+=("$(basename "$patch" .patch)"); done
fi

home=$PWD/target/seeded
source=$home/source
rm -rf "$source"
git worktree prune
git worktree add --quiet --detach "$source" HEAD
trap 'git worktree remove --force "$source"' EXIT

missed=0
for bug in "${bugs[@]}"; do
    patch=$PWD/tests/chaos/bugs/$bug.patch
    scenario=$(sed -n 's/^scenario: //p' "$patch")
    git -C "$source" checkout --quiet .
    git -C "$source" apply "$patch" || {
        echo "seeded_bugs.sh: $bug no longer applies: write the patch anew" >&2
        exit 1
    }
    echo "== $bug: $(head -n 1 "$patch")"
    (cd "$source" && CARGO_TARGET_DIR=$home/target cargo build --locked --quiet --workspace --all-targets --features failpoints)
    (cd "$source" && CARGO_TARGET_DIR=$home/target cargo test --locked --quiet --workspace --features failpoints \
        --test chaos -- --scenario "$scenario" --rounds 3 >"$home/$bug.log" 2>&1) || true
    if grep -q '^NOT CLEAN$' "$home/$bug.log"; then
        sed -n '/^| #/,$p' "$home/$bug.log" | grep '^|'
        echo "   caught by scenario $scenario"
    else
        echo "   NOT caught by scenario $scenario: see $home/$bug.log"
        missed=1
    fi
done
exit "$missed"
