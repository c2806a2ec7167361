#!/usr/bin/env bash
# Makes the two system roots that `make infra` starts its private services from, and keeps them for the next run:
#   target/infra/roots/trixie   Debian 13: RabbitMQ 4.0, PostgreSQL 17, PgBouncer
#   target/infra/roots/sid      Debian's newest: RabbitMQ 4.3, PostgreSQL 18 or later, PgBouncer
# Needs root: debootstrap makes devices and changes its root. Nothing outside target/infra is touched, no service is started.
# `roots.sh remove` removes them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

ROOTS=target/infra/roots
SUITES=(trixie sid)
PACKAGES=(rabbitmq-server postgresql pgbouncer openssl)

main() {
    if ((EUID != 0)); then
        echo "make infra needs root: it makes system roots with debootstrap and runs services in them (sudo make infra)" >&2
        exit 1
    fi
    case ${1:-} in
        remove) for suite in "${SUITES[@]}"; do rm -rf --one-file-system "${ROOTS:?}/$suite"; done ;;
        one) make_root "$2" "$ROOTS/$2" ;;
        *) make_missing ;;
    esac
}

make_missing() {
    local suite log
    command -v debootstrap >/dev/null || { apt-get -qq update && apt-get -qq -y install --no-install-recommends debootstrap; } >/dev/null
    mkdir -p "$ROOTS"
    for suite in "${SUITES[@]}"; do
        if [[ -e $ROOTS/$suite/complete ]]; then continue; fi
        log=target/infra/$suite.log
        echo "making $ROOTS/$suite (once, a few minutes, 500 MB; $log)"
        # Mounts of its own, so that nothing stays mounted whatever happens.
        if ! unshare --mount --propagation private -- scripts/infra/roots.sh one "$suite" >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            echo "$ROOTS/$suite could not be made; see $log" >&2
            exit 1
        fi
    done
}

make_root() { # make_root <suite> <directory>
    local suite=$1 root=$2
    rm -rf --one-file-system "$root"
    debootstrap --variant=minbase "$suite" "$root"
    # No service starts when its package is installed, and no cluster of PostgreSQL is made.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    # Documentation is most of what these packages would write.
    printf 'path-exclude=/usr/share/%s/*\n' doc man locale info >"$root/etc/dpkg/dpkg.cfg.d/small"
    mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${PACKAGES[@]}"
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}
    touch "$root/complete"
}

main "$@"
