#!/usr/bin/env bash
# Checks the files that no compiler reads: the compose file, the configuration of Prometheus and
# Alertmanager, the rules, the dashboards.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    echo "$1" >&2
    exit 1
}

compose_config() { # with these NAME=value; Docker's plugin or Debian's docker-compose, neither needs an engine for it
    (
        # shellcheck disable=SC2163 # the arguments are assignments
        export "$@"
        if docker compose version >/dev/null 2>&1; then
            docker compose --file docker-compose.yml config --quiet
        else
            docker-compose --file docker-compose.yml config --quiet
        fi
    )
}

# The compose file is valid, and starts only when each of its secrets is set; .env.example lists them, empty.
mapfile -t secrets < <(grep -oE '[$][{][A-Z_]+:[?]' docker-compose.yml | grep -oE '[A-Z_]+' | sort -u)
((${#secrets[@]} > 0)) || fail "docker-compose.yml asks for no secret: that cannot be right"
compose_config "${secrets[@]/%/=checked}"
for secret in "${secrets[@]}"; do
    grep -qx "$secret=" .env.example || fail ".env.example has no line $secret= for docker-compose.yml"
    if compose_config "${secrets[@]/%/=checked}" "$secret=" 2>/dev/null; then
        fail "docker-compose.yml starts without $secret"
    fi
done

# What .env says of a setting reaches the containers, unless the image or the compose file decides it.
while read -r setting; do
    grep -qE "^ *(ENV )?${setting}[:=]" docker-compose.yml Dockerfile || [[ $setting == KEYWAY_MODELS_FILE ]] ||
        fail "docker-compose.yml does not pass $setting on"
done < <(sed -nE 's/^#?(KEYWAY_[A-Z_]+)=.*/\1/p' .env.example)

# The rules load, the tests pass, and each alert is seen to fire in one of them.
promtool check config grafana/prometheus.yml
amtool check-config grafana/alertmanager.yml
promtool test rules grafana/alerts_test.yml
while read -r alert; do
    grep -q "alertname=\"$alert\"" grafana/alerts_test.yml || fail "grafana/alerts_test.yml never sees $alert fire"
done < <(sed -n 's/^ *- alert: //p' grafana/alerts.yml)

for dashboard in grafana/dashboards/*.json; do
    python3 -m json.tool "$dashboard" /dev/null || fail "$dashboard is not JSON"
done
echo "compose file, Prometheus files and dashboards are in order"
