#!/usr/bin/env bash
# tuf-client against repositories that python-tuf makes, over loopback: what the public conformance
# suite asks (it is in no package registry), with its command line, and the limits and lies beyond it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${FLEET_BUILD:-$here/../../build/release}
peer=$build/tests/e2e/python-tuf
want='tuf==7.0.1 securesystemslib==1.6.0 cryptography==50.0.2'

if [[ $(cat "$peer/installed" 2>/dev/null) != "$want" ]]; then
  rm -rf "$peer"
  python3 -m venv "$peer"
  # shellcheck disable=SC2086  # several packages
  "$peer/bin/pip" install --quiet --disable-pip-version-check $want
  echo "$want" >"$peer/installed"
fi
PYTHONDONTWRITEBYTECODE=1 "$peer/bin/python" "$here/tuf/conformance.py" "$build/bin/tuf-client"
