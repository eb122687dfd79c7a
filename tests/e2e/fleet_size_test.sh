#!/usr/bin/env bash
# One controller and a fleet of simulated devices over the real link (tests/fleet_sim): all of them
# enrol, pushes reach every one, lists have all of them, and after kill -9 every link comes again.
# It asserts what happened, never how long it took: tests/bench/fleet.sh measures.
#   tests/e2e/fleet_size_test.sh [DEVICES]     (1000)
port=18570 device_port=18571
. "$(dirname "$0")/controller_alone.sh"
devices=${1:-1000}
per_process=5000  # two descriptors for each device that downloads
ulimit -n 20000
sims=()
end_sims() { for pid in "${sims[@]}"; do kill "$pid" 2>/dev/null; done; wait "${sims[@]}" 2>/dev/null || true; }
trap 'status=$?; trap - EXIT; end_sims; stop_controller; rm -rf "$work"; exit $status' EXIT

said() { for log in "$work"/sim-*.log; do tail -n 1 "$log"; done | jq -s "map(.$1) | add // 0"; }
until_said() {  # until_said FIELD COUNT: patience is no assertion, a fleet that stands still is
  local last=-1 still=0 now
  while now=$(said "$1") && [[ $now != "$2" ]]; do
    if [[ $now == "$last" ]]; then still=$((still + 1)); else still=0; fi
    ((still < 240)) || die "$1 stays at $now of $2: $(tail -n 3 "$work"/sim-*.err)"
    last=$now
    sleep 0.5
  done
  ok "$1: $2"
}
ask() { curl -fsS --cacert "$work/ca.pem" -H "Authorization: Bearer $(<"$work/admin.token")" "https://localhost:$port$1"; }
expect_said() { [[ $2 == "$3" ]] || die "$1: $2, expected $3"; ok "$1: $3"; }
push_to_all() {  # push_to_all RELEASE
  fleetctl push dns --to sim --strategy all --wait 20m >"$work/push.out" 2>&1 || die "$(tail -n 20 "$work/push.out")"
  ok "release $1 is pushed"
  local rollout=$(fleetctl rollouts --json | jq -c '.rollouts[0]')
  expect_said "healthy with $1" "$(jq .counts.healthy <<<"$rollout")" "$devices"
  expect_said "its verdict" "$(jq -r .state <<<"$rollout")" ROLLOUT_SUCCEEDED
}

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >/dev/null
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
fleetctl login "https://localhost:$port" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null
fleetctl keys init --second-copy "$work/second" >/dev/null
fleetctl keys delegate dns >/dev/null
fleetctl enroll-token --group sim --uses "$devices" -o "$work/sim.boot" >/dev/null
for ((first = 0; first < devices; first += per_process)); do
  count=$((devices - first < per_process ? devices - first : per_process))
  fleet-sim --bootstrap "$work/sim.boot" --devices "$count" --names "sim-$first-" \
    >"$work/sim-$first.log" 2>"$work/sim-$first.err" &
  sims+=($!)
done
until_said enrolled "$devices"
until_said online "$devices"

(dns_app)
cd "$work/app"
sed -i 's#x86_64/virtio: dns.x86_64.virtio#x86_64/spt: dns.x86_64.spt#' manifest.yml
cp "$build/images/dns/dns.x86_64.spt" .
push_to_all 1
until_said healthy "$devices"

fleetctl devices --json >"$work/devices.json"
expect_said "devices in the list" "$(jq '.devices | length' "$work/devices.json")" "$devices"
expect_said "names in it" "$(jq '[.devices[].name] | unique | length' "$work/devices.json")" "$devices"
expect_said "up to date" "$(jq '[.devices[] | select(.up_to_date)] | length' "$work/devices.json")" "$devices"
expect_said "the overview" "$(ask /v1/fleet | jq -c '[.devices, .online]')" "[$devices,$devices]"
expect 0 "$devices   $devices online" fleetctl status
(($(ask /v1/status | wc -c) < 8192)) || die "the status grows with the fleet: $(ask /v1/status)"
ok "what fleetctl status reads is small"

kill -9 "$controller"; wait "$controller" 2>/dev/null || true
until_said online 0
serve
until_said online "$devices"
sed -i 's/rrl=20/rrl=21/' manifest.yml
push_to_all 2
expect_said "reverted" "$(said reverted)" 0
echo "$passed passed"
