#!/usr/bin/env bash
# Measures every figure beside its limit, one benchmark after the other, and ends with one table.
#
#     scripts/bench.sh [BENCH...]         all of them but the soak unless some are named
#     SIZES="1000 10000 100000" scripts/bench.sh fan_out
#
# What they print is kept in target/bench/, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

benches=("$@")
[ $# -gt 0 ] || benches=(lane writers fan_out intake proxy warm reads)
read -ra sizes <<<"${SIZES:-}"
mkdir -p target/bench

# Celery for the comparison, out of everybody's way.
# A benchmark runs in the directory of its package.
celery=$PWD/target/bench/celery
if [[ " ${benches[*]} " == *" lane "* && ! -x $celery/bin/celery ]]; then
    python3 -m venv "$celery"
    "$celery/bin/pip" install --quiet celery==5.7.0 ||
        echo "Celery cannot be had from PyPI: the comparison with it is left out" >&2
fi

targets=()
for bench in "${benches[@]}"; do targets+=(--bench "${bench/soak/proxy}"); done
cargo bench --locked --workspace --no-run "${targets[@]}"

log=target/bench/figures.txt
: >"$log"
for bench in "${benches[@]}"; do
    arguments=()
    case $bench in
    lane) if [ -x "$celery/bin/celery" ]; then arguments=(100000 "$celery/bin/python"); fi ;;
    fan_out) arguments=("${sizes[@]}") ;;
    reads) if [ ${#sizes[@]} -gt 0 ]; then arguments=(10000000); fi ;;
    soak) arguments=(soak) ;;
    esac
    printf '\n== %s ==\n' "$bench" | tee -a "$log"
    cargo bench --locked --workspace --quiet --bench "${bench/soak/proxy}" -- "${arguments[@]}" | tee -a "$log"
done

{
    printf '\n| figure | found | limit | ratio | wanted | met |\n|---|---|---|--:|--:|---|\n'
    sed -n 's/^FIGURE //p' "$log"
} | tee target/bench/table.md
