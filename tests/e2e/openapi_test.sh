#!/usr/bin/env bash
# controller/openapi.yaml: linted, made of the same messages as proto/, naming the same routes as the
# running server, which answers each documented GET with the documented status, type and schema. One
# real controller with a device that enrolled, a push, a token and a rollout; no guest runs.
port=18540 device_port=18551
. "$(dirname "$0")/controller_alone.sh"
url=https://localhost:$port
here=$(cd "$(dirname "$0")" && pwd)

# The linter is a peer from npm, as tuf-js is.
peer=$build/tests/e2e/redocly
want='@redocly/cli@1.34.5'  # the newest that Debian 12's node runs
if [[ $(cat "$peer/installed" 2>/dev/null) != "$want" ]]; then
  rm -rf "$peer"
  mkdir -p "$peer"
  npm install --prefix "$peer" --silent --no-audit --no-fund --ignore-scripts "$want"
  echo "$want" >"$peer/installed"
fi
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
expect 0 'Your API description is valid' "$peer/node_modules/.bin/redocly" lint "$root/controller/openapi.yaml"
"$root/controller/openapi_schemas.py" --check || die "the schemas are not those of proto/"
ok "the schemas are those of proto/fleet/v1"

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
fleetctl login "$url" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null 2>&1
fleetctl keys init --second-copy "$work/second" >/dev/null
fleetctl keys delegate dns >/dev/null
fleetctl enroll-token --group edge --label site=lyon -o "$work/edge-1.boot" >/dev/null
mkdir "$work/agent"
fleet-agent enroll --bootstrap "$work/edge-1.boot" --state-dir "$work/agent" --name edge-1 >/dev/null
dns_app
fleetctl push dns --to edge --detach >/dev/null
fleetctl token create viewer --role viewer --group edge -o "$work/viewer.token" >/dev/null
ok "a controller with a device, a push and a token"

for who in admin viewer; do
  said=$(python3 "$here/openapi/answers.py" "$url" "$work/ca.pem" "$work/$who.token" "$work/app/dns.x86_64.virtio" 2>&1) ||
    die "as $who: $said"
  ok "as $who: $said"
done

# The check itself can fail: an answer that is not as documented is found.
sed 's/version: {type: string}/version: {type: integer}/' "$root/controller/openapi.yaml" >"$work/wrong.yaml"
! python3 "$here/openapi/answers.py" "$url" "$work/ca.pem" "$work/admin.token" "$work/app/dns.x86_64.virtio" \
  "$work/wrong.yaml" >"$work/wrong.out" 2>&1 || die "a wrong schema passed: $(cat "$work/wrong.out")"
grep -q 'GET /v1/status' "$work/wrong.out" || die "the wrong answer is not named: $(cat "$work/wrong.out")"
ok "a document that says something else is found out"
echo "$passed passed, 0 failed"
