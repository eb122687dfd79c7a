#!/usr/bin/env bash
# Figures of the first push, measured on this machine with real programs and guests: time to healthy
# and where it goes, datagrams lost in a switch and in a revert, memory, sizes of the programs.
# The machines are noisy: compare within one run. tests/bench/push.sh [PUSHES]
LAB=bench LAB_PORT=18450
. "$(dirname "$0")/../e2e/lib.sh"
pushes=${1:-5}

pss() {  # pss PID: proportional memory in KiB
  awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"
}
program_of() { pgrep -f "^$1 .*$LAB_DIR" | head -1; }

fleet 1
sleep 2
echo "== memory, idle (PSS, KiB)"
for program in fleet-controller fleet-agent fleet-launcher; do
  printf '%-18s %6d\n' "$program" "$(pss "$(program_of "$program")")"
done

echo "== push to healthy, one device (ms by step)"
show() {
  fleetctl rollouts --json | jq -r '.rollouts[0].id' | xargs -I{} fleetctl rollout show {} --json |
    jq -r '.devices[0] | ([.steps[] | "\(.step) \((.took_us | tonumber) / 1000 | round)"] | join("  "))
      + "  | total \((.ended_ms | tonumber) - (.started_ms | tonumber))"'
}
fleetctl push dns --to edge >/dev/null
show
printf '%s' "with one guest (PSS, KiB):"
for program in fleet-agent fleet-launcher; do printf '  %s %d' "$program" "$(pss "$(program_of "$program")")"; done
echo

# Askers as processes of dig: one with a fixed source port, one with a new one for each question.
asker() {  # asker NAME DIG-FLAGS
  local name=$1; shift
  while :; do
    if dig +short +time=3 +tries=1 "$@" @192.0.2.11 www.example.test | grep -qx 192.0.2.80; then echo ok; else echo lost; fi
  done >"$LAB_DIR/asked-$name"
}
export -f asker; export LAB_DIR
start_askers() {
  ip netns exec "$LAB_NET" bash -c 'asker fixed -b "192.0.2.1#5301"' & fixed=$!
  ip netns exec "$LAB_NET" bash -c 'asker changing' & changing=$!
}
end_askers() {
  kill "$fixed" "$changing" 2>/dev/null || true
  wait "$fixed" "$changing" 2>/dev/null || true
  for name in fixed changing; do
    printf '%-9s source port: %5d answered, %d lost\n' "$name" \
      "$(grep -c ^ok "$LAB_DIR/asked-$name")" "$(grep -c ^lost "$LAB_DIR/asked-$name")"
  done
}
echo "== $pushes good updates in a row, beside"
start_askers
for ((i = 1; i <= pushes; i++)); do
  printf 'b%d A 192.0.2.90\n' "$i" >>zones/example.test.zone
  fleetctl push dns --to edge >/dev/null
  show
done
end_askers

echo "== a release that crashes, and its revert"
start_askers
fleetctl push dns --to edge --image "$images/dns-crash/dns.x86_64.virtio" >/dev/null || true
show
end_askers

echo "== sizes of the programs, stripped (KiB)"
for program in fleetctl fleet-controller fleet-agent fleet-launcher fleet-fetch; do
  strip -o "$LAB_DIR/stripped" "$LAB_BIN/$program"
  printf '%-18s %6d\n' "$program" $(($(stat -c %s "$LAB_DIR/stripped") / 1024))
done
printf '%-18s %6d\n' "dns image" $(($(stat -c %s "$images/dns/dns.x86_64.virtio") / 1024))
