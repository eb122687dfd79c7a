#!/usr/bin/env bash
# Values per device the whole way, with real guests on spt that serve a zone made from a template: by
# default, label and config set; refused before anything changes; back by itself from a value that
# breaks the app; a secret that the guest shows and nothing between fleetctl and the guest holds.
LAB=config LAB_PORT=18489
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 2
secret=swordfish-7f3a91c2

# app [MORE]: the manifest, with these lines of vars too
app() {
  cat >manifest.yml <<YAML
version: 1
applications:
- name: dns
  images: {x86_64/spt: dns.x86_64.spt}
  memory: 16M
  args: ["--rrl=((rrl))"]
  hostname: dns-((site))
  vars:
    rrl: {type: int, default: "1000", min: 1, max: 100000}
    www: {type: string, default: 192.0.2.80, max_length: 20}
    site: {type: string, from: label:site, default: nowhere, max_length: 16, pattern: "[a-z]+"}
    tsig: {type: secret, required: false, max_length: 40}
${1:-}
  files:
    /zones/example.test.zone:
      template: true
      content: |
        \$TTL 60
        @ IN SOA ns hostmaster 1 3600 600 86400 60
        @ IN NS ns
        ns IN A 192.0.2.53
        www IN A ((www))
        site IN TXT "site ((site))"
        key IN TXT "key ((tsig))"
${2:-}
  publish: ["53:53/udp", "53:53/tcp"]
  health: {type: dns, query: www.example.test A, start_interval: 50ms, timeout: 500ms, deadline: 10s}
YAML
}
# says N NAME TYPE TEXT: device N answers with that text.
says() { lab_client dig +short +time=2 +tries=2 "@192.0.2.$((10 + $1))" "$2.example.test" "$3" | grep -qF -- "$4"; }
shows() { says "$@" || die "edge-$1 says '$(lab_client dig +short "@192.0.2.$((10 + $1))" "$2.example.test" "$3")' for $2, not '$4'"; ok "edge-$1: $2 is $4"; }
value() { fleetctl config list dns --to "edge-$1" --json | jq -r --arg n "$2" '.devices[].values[] | select(.name == $n) | "\(.value) \(.source)"'; }
valued() { [[ $(value "$1" "$2") == "$3" ]] || die "edge-$1: $2 is '$(value "$1" "$2")', not '$3'"; ok "edge-$1: $2 is listed as $3"; }

# Before anything is signed.
app "" '        more IN TXT "((sit))"'
expect 1 'manifest.yml:[0-9]+: files./zones/example.test.zone: line 8: \(\(sit\)\) is not declared under vars; nearest: site' fleetctl push dns --to edge
app "    bad: {type: ipv4, default: here}"
expect 1 'manifest.yml:[0-9]+: vars.bad.default: "here" is no IPv4 address' fleetctl push dns --to edge
app; sed -i 's/hostname: dns-((site))/hostname: dns-((tsig))/' manifest.yml
expect 1 'manifest.yml:[0-9]+: hostname: \(\(tsig\)\) is a secret' fleetctl push dns --to edge

# By default and by label.
app
expect 0 '' fleetctl device label edge-1 site=lyon
expect 0 'OK  dns 1 is live on 2 of 2' fleetctl push dns --to edge
shows 1 site TXT '"site lyon"'
shows 2 site TXT '"site nowhere"'
shows 2 www A 192.0.2.80
valued 1 site "lyon VALUE_LABEL"
valued 2 site "nowhere VALUE_DEFAULT"

# Refused before anything changes, for all of the devices.
generation() { fleetctl device show edge-1 --json | jq -r .generation; }
before=$(generation)
expect 1 'declares no variable "rrll"; nearest: rrl' fleetctl config set dns rrll=5 --to edge
expect 1 'rrl: 0 is out of range; it is int, 1 to 100000' fleetctl config set dns www=192.0.2.9 rrl=0 --to edge
expect 1 'site: "Lyon 1" does not match its pattern' fleetctl config set dns "site=Lyon 1" --to edge
expect 1 'tsig is a secret: on a command line others see it' fleetctl config set dns tsig=hello --to edge
expect 1 'www: is longer than 20 bytes' fleetctl config set dns www=192.0.2.100.100.100.100 --to edge
expect 1 '--to site=nowher matches none of 2 devices' fleetctl config set dns rrl=5 --to site=nowher
[[ $(generation) == "$before" ]] || die "a refused value reached a device"
valued 1 www "192.0.2.80 VALUE_DEFAULT"

# Set, followed like a push; unset.
expect 0 'OK  dns runs with its new values on 1 of 1 device' fleetctl config set dns www=192.0.2.81 site=paris --to edge-1
shows 1 www A 192.0.2.81
shows 1 site TXT '"site paris"'
shows 2 www A 192.0.2.80
valued 1 site "paris VALUE_SET"
expect 0 'nothing changes' fleetctl config set dns www=192.0.2.81 --to edge-1
expect 0 'edge-1 +1 +www +192.0.2.81 +set +string' fleetctl config list dns --to edge
expect 0 'values +dns .*site=paris \(set\)' fleetctl device show edge-1
expect 0 'OK  dns runs with its new values' fleetctl config unset dns site --to edge-1
shows 1 site TXT '"site lyon"'

# A value that breaks the zone: the guest ends, the device goes back, and so does its value.
expect 3 'FAILED  dns.*1 reverted' fleetctl config set dns www=nonsense --to edge-1
shows 1 www A 192.0.2.81
valued 1 www "192.0.2.81 VALUE_SET"
expect 0 'OK  dns runs with its new values' fleetctl config set dns www=192.0.2.82 --to edge-1
shows 1 www A 192.0.2.82
ok "a digest is not refused for a value's fault"

# A secret: from a file to the guest, and nowhere between.
printf '%s\n' "$secret" >"$LAB_DIR/tsig.key"
expect 1 'tsig: is longer than 40 bytes' fleetctl config set dns --secret-file "tsig=$LAB_DIR/ca.pem" --to edge
expect 0 'OK  dns runs with its new values on 2 of 2' fleetctl config set dns --secret-file "tsig=$LAB_DIR/tsig.key" --to edge
shows 1 key TXT "\"key $secret\""
shows 2 key TXT "\"key $secret\""
lab_agent_restart() { lab_stop "agent-$1"; lab_agent_start "$1"; lab_wait 30 online 2; }
lab_agent_restart 1
lab_stop launcher-1 KILL
lab_launcher_start 1
lab_wait 60 says 1 key TXT "\"key $secret\""
ok "a guest that starts again has its secret"
expect 0 'tsig +\(secret\) +set +secret' fleetctl config list dns --to edge-1
expect 0 'tsig set \(secret\)' fleetctl device show edge-1
expect 0 'tsig \(secret\)' fleetctl audit
{
  fleetctl config list dns --json; fleetctl devices --json; fleetctl device show edge-1 --json
  fleetctl audit --json; fleetctl rollouts --json; fleetctl logs dns; fleetctl flights dns --json
  fleetctl releases dns --json; fleetctl why edge-1 dns --json
  "$LAB_BIN/fleet-agent" status --state-dir "$LAB_DIR/edge-1/state" --json
} >"$LAB_DIR/said" 2>&1
hides() { ! grep -rqaF -- "$secret" "$@" || die "the secret is in $(grep -rlaF -- "$secret" "$@")"; }
hides "$LAB_DIR/said" "$LAB_DIR"/*.log "$LAB_DIR"/edge-*/*.log "$LAB_DIR/edge-1/state" "$LAB_DIR/edge-2/state"
hides "$LAB_DIR/controller"
for pid in $(pgrep -x fleet-spt); do hides "/proc/$pid/cmdline" "/proc/$pid/environ"; done
ok "neither controller, API, logs, device state nor a command line holds the secret"

# The device's key: made anew, it is refused until a person takes it.
key_of() { fleetctl device show edge-2 --json | jq -r .sealing_key; }
first=$(key_of)
lab_stop agent-2
rm "$LAB_DIR/edge-2/state/sealing.key"
lab_agent_start 2
changed() { [[ $(key_of) != "$first" ]]; }
lab_wait 30 changed || die "the controller was told no other key"
expect 1 'edge-2 shows the key [0-9a-f]+, this machine first saw [0-9a-f]+' fleetctl config set dns --secret-file "tsig=$LAB_DIR/tsig.key" --to edge
expect 0 'OK  dns runs with its new values' fleetctl config set dns --secret-file "tsig=$LAB_DIR/tsig.key" --to edge-2 --accept-key edge-2
shows 2 key TXT "\"key $secret\""

# A release that needs a value waits for it, and says which and how.
app "    zone-note: {type: string}" '        note IN TXT "((zone-note))"'
expect 3 'edge-1 +held' fleetctl push dns --to edge-1
expect 0 'VALUES +variable zone-note has no value' fleetctl why edge-1 dns
expect 0 'fleetctl config set dns zone-note=VALUE --to edge-1' fleetctl why edge-1 dns
shows 1 www A 192.0.2.82
expect 0 'OK  dns runs with its new values' fleetctl config set dns zone-note=hello --to edge-1
expect 0 'OK  dns 2 is live on 1 of 1' fleetctl rollout retry "$(fleetctl rollouts --json | jq -r '[.rollouts[] | select((.kind // "KIND_PUSH") == "KIND_PUSH")][0].id')"
shows 1 note TXT '"hello"'
shows 1 www A 192.0.2.82
shows 1 key TXT "\"key $secret\""
echo "passed $passed"
