#!/bin/sh
# Starts Alertmanager with a configuration, and with the webhook of ALERT_WEBHOOK_URL, if that is set, for the receiver at
# the configuration's end:
#   alertmanager.sh <configuration> [arguments of Alertmanager]
set -eu

config=$(mktemp)
cat "$1" >"$config"
shift
case ${ALERT_WEBHOOK_URL:-} in
"") echo "ALERT_WEBHOOK_URL is not set: nobody is told of an alert, unless alertmanager.yml says how" >&2 ;;
http://* | https://*)
    # In YAML a quote within quotes is written twice.
    printf "    webhook_configs: [{url: '%s'}]\n" "$(printf %s "$ALERT_WEBHOOK_URL" | sed "s/'/''/g")" >>"$config"
    ;;
*)
    echo "ALERT_WEBHOOK_URL has to begin with http:// or https://" >&2
    exit 1
    ;;
esac
exec "${ALERTMANAGER:-alertmanager}" --config.file="$config" "$@"
