#!/bin/sh
# replay.sh [FOLDER]: send the records that mod_json_cdr could not post. Each
# file is removed when the relay has its events on disk; what it has taken
# before, however long ago, is not delivered again. A file that is refused
# stays. The status is 1 when any file is left.
set -u
status=0
for file in "${1:-/var/spool/freeswitch/relay}"/*.cdr.json; do
	[ -e "$file" ] || continue
	if relay send --format freeswitch "$file" >/dev/null; then
		rm -- "$file" || status=1
	else
		echo "replay.sh: left: $file" >&2
		status=1
	fi
done
exit $status
