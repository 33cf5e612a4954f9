#!/bin/sh
# send.sh EVENT [NAME VALUE]...: one event to the relay. Prints the answer, and
# fails unless the event is on disk.
#   send.sh disposition queue support uii 42 agent_disposition SALE
set -eu
quote() { printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g; s/^/"/; s/$/"/'; }
event="{\"event\":$(quote "$1")"
shift
while [ $# -gt 1 ]; do
	event="$event,$(quote "$1"):$(quote "$2")"
	shift 2
done
answer=$(printf '%s}\n' "$event" | nc -N -U -w 5 "${RELAY_SOCKET:-/run/relay/relay.sock}")
echo "$answer"
case $answer in '{"accepted":true'*) ;; *) exit 1 ;; esac
