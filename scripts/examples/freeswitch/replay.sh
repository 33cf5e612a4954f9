#!/bin/sh
# replay.sh [FOLDER]: send the records that mod_json_cdr could not post. Each
# file is removed when the relay has its events on disk; one that was delivered
# before gives the same ids again.
set -eu
for file in "${1:-/var/spool/freeswitch/relay}"/*.cdr.json; do
	[ -e "$file" ] || continue
	relay send --format freeswitch "$file" && rm -- "$file"
done
