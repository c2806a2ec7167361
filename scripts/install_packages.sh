#!/usr/bin/env bash
# Installs the Debian packages that `make test` and `make chaos` need and that are missing; does nothing when none is.
# The tests start private servers from these packages. They never use the services Debian starts.
set -euo pipefail

missing=()

need() { # need <package> <command...>: the package is missing when the command fails
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

any_executable() { # true when one of the paths (an expanded glob) can be run
    local path
    for path in "$@"; do [[ -x $path ]] && return 0; done
    return 1
}

compose_present() { docker compose version || docker-compose --version; }

need gcc command -v cc
need make command -v make
need mold command -v mold
need postgresql any_executable /usr/lib/postgresql/*/bin/postgres
need rabbitmq-server any_executable /usr/lib/rabbitmq/bin/rabbitmq-server
need prometheus command -v promtool
need prometheus-alertmanager command -v prometheus-alertmanager
need faketime compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1'
need chromium any_executable /usr/bin/chromium /usr/bin/google-chrome
need curl command -v curl
need nodejs command -v node
need npm command -v npm
need python3-venv python3 -c 'import ensurepip, venv'
need docker-compose compose_present
need shellcheck command -v shellcheck

if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then as_root=(sudo -n); fi
if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "keyway's tests need these Debian packages, which cannot be installed from here: ${missing[*]}" >&2
    echo "Install them as root (apt-get install ${missing[*]}), or their equivalents, and try again." >&2
    exit 1
fi

echo "installing ${missing[*]}"
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >/dev/null; }
apt_get install -y --no-install-recommends "${missing[@]}" 2>/dev/null ||
    { apt_get update && apt_get install -y --no-install-recommends "${missing[@]}"; }
