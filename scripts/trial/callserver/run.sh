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
pbx=$(mktemp -d)
trap '"$CALLSERVER/down.sh"; rm -rf "$pbx"' EXIT
trap 'exit 1' INT TERM
"$CALLSERVER/up.sh"
go test ./scripts/trial/callserver -count=1 -timeout 30m -v "$@"
"$CALLSERVER/down.sh"

# The same with a dialplan as FreePBX makes it, and the manager user of the example.
cp -r "$CALLSERVER/." "$pbx"
cp scripts/trial/callserver/etc/*.conf "$pbx/etc"
cp scripts/examples/asterisk/freepbx/extensions_custom.conf "$pbx/etc"
sed 's/change-me/relay/' scripts/examples/asterisk/freepbx/manager_custom.conf > "$pbx/etc/manager_custom.conf"
export CALLSERVER="$pbx"
"$pbx/up.sh"
PBX=1 go test ./scripts/trial/callserver -count=1 -timeout 30m -v "$@"
