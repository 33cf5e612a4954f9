#!/bin/bash
# Proves the relay against programs that others wrote, and prints what came of each
# in one table: SOAP servers (npm's soap and strong-soap, PHP, Java, .NET by Mono), Standard
# Webhooks libraries, receivers (PHP, Flask, Node-RED), nginx, HAProxy and Caddy,
# versitygw as S3 (go install github.com/versity/versitygw/cmd/versitygw@latest), an
# OAuth2 token server, promtool, and axe in Chromium for the page. Needs node and
# npm; what else is not here makes a row that says so. The npm packages go to a
# folder of their own outside of this one.
set -euo pipefail
cd "$(dirname "$0")/../../.."

modules=${PEERS_FOLDER:-${TMPDIR:-/tmp}/relay-peers}
npm install --silent --no-audit --no-fund --no-package-lock --prefix "$modules" \
    soap@1.13.0 standardwebhooks@1.1.1 axe-core@4.14.1 \
    strong-soap@6.0.1 node-red@4.0.9
PEERS=$modules/node_modules exec go test -count=1 -v "$@" ./scripts/trial/peers ./scripts/monitoring
