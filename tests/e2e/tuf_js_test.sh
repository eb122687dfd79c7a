#!/usr/bin/env bash
# A repository of ours read by tuf-js, and one that tuf-js's models made read by tuf-client, over
# loopback.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${FLEET_BUILD:-$here/../../build/release}
peer=$build/tests/e2e/tuf-js
want='tuf-js@3.1.0 @tufjs/models@3.0.1'  # the newest that Debian 12's node runs

if [[ $(cat "$peer/installed" 2>/dev/null) != "$want" ]]; then
  rm -rf "$peer"
  mkdir -p "$peer"
  # shellcheck disable=SC2086  # several packages
  npm install --prefix "$peer" --silent --no-audit --no-fund --ignore-scripts $want
  echo "$want" >"$peer/installed"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/ours/metadata" "$work/ours/targets"
"$build/bin/tuf_make_repository" "$work/ours"
NODE_PATH=$peer/node_modules node "$here/tuf/js_peer.cjs" "$build/bin/tuf-client" "$work/ours" "$work"
