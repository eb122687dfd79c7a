# For the jobs of lab_device_test.sh, which run one after the other on the same disk: how they tell
# what they found, the device's wire, and a client at its other end.
set -uo pipefail
export PATH=/usr/bin:/bin HOME=/root FLEET_HOME=/root/operator
export FLEET_PASSPHRASE_FILE=/root/passphrase
fleetctl() { LD_PRELOAD=/job/quick_passphrase.so command fleetctl "$@"; }
passed=0
ok() { passed=$((passed + 1)); echo "ok $passed - $* (${SECONDS} s)"; }
die() { echo "FAILED: $*"; dmesg | grep -E 'fleet|systemd|lab' | tail -n 60; exit 1; }
# wait_for WHAT COMMAND...: until it succeeds.
wait_for() {
  local what=$1 end=$((SECONDS + 90)); shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || die "$what never came"
    sleep 0.2
  done
}
expect() {  # expect STATUS PATTERN COMMAND...
  local want=$1 text=$2 got=0 said; shift 2
  said=$("$@" 2>&1 </dev/null) || got=$?
  [[ $got == "$want" ]] || die "$* ended with $got, expected $want: $said"
  grep -qE -- "$text" <<<"$said" || die "$* did not say '$text': $said"
  ok "$* -> $want, $text"
}

# The device's wire, and a client at its other end.
ip link set lo up
ip netns add client
ip link add wan type veth peer name up0 netns client
ip addr add 192.0.2.11/24 dev wan
ip link set wan up
ip -n client addr add 192.0.2.2/24 dev up0
ip -n client link set up0 up
answer() { ip netns exec client timeout 10 nslookup "$1.example.test" 192.0.2.11 2>/dev/null | grep -q "Address:.*$2"; }
online() { fleetctl devices --json | jq -e '[.devices[] | select(.online)] | length == 1'; }
is_live() { fleetctl ps --json | jq -e --argjson r "$1" '[.instances[] | select(.state != "removed") | [.app, .release, .healthy, .monitor]] == [["dns", $r, true, "hvt"]]'; }
