#!/bin/bash
# Proves the relay against programs that others wrote: npm's SOAP server and
# Standard Webhooks library, nginx, an OAuth2 token server, promtool, and axe in
# Chromium for the page. Needs node, npm and nginx; the npm packages go to a folder
# of their own outside of this one.
set -euo pipefail
cd "$(dirname "$0")/../../.."

modules=${PEERS_FOLDER:-${TMPDIR:-/tmp}/relay-peers}
npm install --silent --no-audit --no-fund --no-package-lock --prefix "$modules" \
    soap@1.13.0 standardwebhooks@1.1.1 axe-core@4.14.1
PEERS=$modules/node_modules exec go test -count=1 -v "$@" ./scripts/trial/peers ./scripts/monitoring
