#!/usr/bin/env bash
# Fuzzes what reads strangers' bytes: scripts/fuzz.sh SECONDS [TARGET...], each target for so long. Begins with the inputs
# of fuzz/corpus; what it finds on its way stays in target/fuzz, and so does an input that breaks a property.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=$1
shift
if (($# == 0)); then
    mapfile -t targets < <(cargo fuzz list)
    set -- "${targets[@]}"
fi
command -v c++ >/dev/null || { echo "fuzzing needs a C++ compiler: apt-get install g++" >&2; exit 1; }

# The product's own versions, not newer ones.
cp Cargo.lock fuzz/Cargo.lock
# Without a sanitizer a stable toolchain builds it: the code is safe Rust, which a panic tells all about.
flags=(--sanitizer none --target-dir target/fuzz)
cargo fuzz build "${flags[@]}"
for target; do
    [[ -d fuzz/corpus/$target ]] || { echo "$target is no target; there are: $(cargo fuzz list | xargs)" >&2; exit 1; }
    mkdir -p "target/fuzz/corpus/$target" "target/fuzz/broken/$target"
    echo "== $target, $seconds s"
    if ! cargo fuzz run "${flags[@]}" "$target" "target/fuzz/corpus/$target" \
        "fuzz/corpus/$target" -- -max_total_time="$seconds" -max_len=4096 -timeout=10 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="target/fuzz/broken/$target/"; then
        echo "$target: it ended early; an input that breaks a property is in target/fuzz/broken/$target" >&2
        exit 1
    fi
done
