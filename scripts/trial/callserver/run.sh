#!/bin/sh
# Run the relay beside a real Asterisk with SIPp callers and agents, and hold
# what arrives at a receiver against what Asterisk told (about ten minutes).
#
#   scripts/trial/callserver/run.sh [-run TestCalls]     what follows goes to go test
#
# Needs root, apt and ../shared/tools/callserver (or CALLSERVER=folder), which
# builds a chroot once and listens on loopback only.
set -eu
cd "$(dirname "$0")/../../.."
CALLSERVER=${CALLSERVER:-$(cd .. && pwd)/shared/tools/callserver}
if [ ! -x "$CALLSERVER/up.sh" ]; then
	echo "callserver: no call server in $CALLSERVER" >&2
	exit 2
fi
export CALLSERVER
trap '"$CALLSERVER/down.sh"' EXIT
trap 'exit 1' INT TERM
"$CALLSERVER/up.sh"
go test ./scripts/trial/callserver -count=1 -timeout 30m -v "$@"
