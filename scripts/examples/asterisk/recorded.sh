#!/bin/sh
# recorded.sh CALL LEG FILE: MixMonitor's end command. It tells the relay of a
# file that is complete, as the event "recorded". It runs beside the call, which
# does not wait for it; an event that the relay does not take is kept here.
set -eu
spool=${RELAY_SPOOL:-/var/spool/asterisk/relay}
event=$(printf '{"event":"recorded","id":"recorded/%s","uii":"%s","segment_id":"%s","recording":"%s"}' "$2" "$1" "$2" "$3")
curl -sS --fail --max-time 5 --unix-socket "${RELAY_SOCKET:-/run/relay/relay.sock}" \
	-H 'Content-Type: application/json' -d "$event" http://relay/v1/events > /dev/null ||
	{ mkdir -p "$spool" && printf '%s\n' "$event" >> "$spool/$2.json"; } # later: relay send FILE
