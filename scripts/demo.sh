#!/usr/bin/env bash
# The demonstration: builds Keyway and a simulated provider, starts both, walks through the main job, leaves them running.
#   scripts/demo.sh        show it
#   scripts/demo.sh stop   stop what it left running
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v python3 >/dev/null || { echo "the demonstration needs python3 (its standard library only)" >&2; exit 1; }
if [[ ${1:-} != stop ]]; then
    echo "building Keyway and the simulator (a few minutes the first time)"
    cargo build --locked --quiet --bin keyway
    cargo build --locked --quiet --package keyway-testkit --bin simulator
fi
exec python3 scripts/demo.py "$@"
