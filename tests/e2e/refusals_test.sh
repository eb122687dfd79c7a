#!/usr/bin/env bash
# Bad input on the operator's terminal: each error names the thing, the place and the fix, ends with
# its exit code, and changes nothing.
LAB=refuse LAB_PORT=18444
. "$(dirname "$0")/lib.sh"
fleet 1

expect 1 'matches none of 1 device' fleetctl push dns --to edgy
expect 1 'nearest: edge' fleetctl push dns --to edgy
expect 2 '' fleetctl push dns --no-such-flag

mend() { cp "$images/dns/manifest.yml" manifest.yml; rm -rf zones; cp -r "$images/dns/zones" zones; }
refused() {  # refused TEXT SED-SCRIPT: the manifest changed so is refused before anything is signed
  sed -i "$2" manifest.yml
  expect 1 "$1" fleetctl push dns --to edge
  mend
}
refused 'manifest.yml:[0-9]+.*memry.*memory' 's/memory:/memry:/'
refused 'manifest.yml:[0-9]+.*unit' 's/memory: .*/memory: 16/'
refused 'manifest.yml:[0-9]+' 's/memory: .*/memory: [16M]/'
refused 'no-such-file' 's#dns.x86_64.virtio#no-such-file#'
: >zones/example.test.zone
expect 1 'example.test.zone.*empty' fleetctl push dns --to edge
mend
printf '#!/bin/sh\necho hello\n' >script
expect 1 'script.*not an image' fleetctl push dns --to edge --image script
# A kernel for another CPU: the head of an arm64 Image.
{ head -c 56 /dev/zero; printf 'ARM\x64'; head -c 8192 /dev/zero; } >other-cpu
expect 1 'an arm64 Image, .*write format: linux' fleetctl push dns --to edge --image other-cpu
printf '  format: linux\n' >>manifest.yml
expect 1 'aarch64' fleetctl push dns --to edge --image other-cpu
expect 1 'is Unifleet.*, but the manifest says format: linux' fleetctl push dns --to edge
mend
printf '  volumes:\n  - {name: cache, size: 8M}\n' >>manifest.yml
expect 1 'volumes: dns.[^ ]+ has no block device cache; it declares none' fleetctl push dns --to edge
mend
[[ $(fleetctl releases dns --json | jq '[.releases // [] | .[]] | length') == 0 ]] || die "a refused push left a release"
ok "no refused push left a release"

# Enrolment.
fleetctl enroll-token --group edge -o "$LAB_DIR/used.boot"
lab_device 2
lab_launcher_start 2
lab_enroll 2 "$LAB_DIR/used.boot"
lab_device 3
lab_launcher_start 3
expect 1 'token.*(used|good for)' lab_enroll 3 "$LAB_DIR/used.boot"
jq '.token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"' "$LAB_DIR/used.boot" >"$LAB_DIR/wrong.boot"
expect 1 'token' lab_enroll 3 "$LAB_DIR/wrong.boot"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=other \
  -days 1 -out "$LAB_DIR/other.pem" 2>/dev/null
fleetctl enroll-token --group edge -o "$LAB_DIR/good.boot"
jq --rawfile ca "$LAB_DIR/other.pem" '.ca_pem = $ca' "$LAB_DIR/good.boot" >"$LAB_DIR/ca.boot"
expect 1 'certificate' lab_enroll 3 "$LAB_DIR/ca.boot"
expect 0 'edge-3' lab_enroll 3 "$LAB_DIR/good.boot"

# The operator's side of the same.
echo wrong-token >"$LAB_DIR/wrong.token"; chmod 600 "$LAB_DIR/wrong.token"
expect 1 'token' fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/wrong.token" --ca "$LAB_DIR/ca.pem" --context wrong
expect 4 '' fleetctl login "https://localhost:1" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/ca.pem" --context away
expect 1 'certificate' fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/other.pem" --context other
echo "$passed passed, 0 failed"
