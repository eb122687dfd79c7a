#!/usr/bin/env bash
# The sensor image on each platform beside `mosquitto_pub -q 1 -l`, both to one mosquitto, QoS 1: time
# from the start to the first message, bytes of the program, memory, messages per second as it tells
# those that waited for the broker, processor time per message at the most that its settings make (32
# sensors every 100 ms), and the time from a reading on the serial line to its message (not on virtio,
# to which it leads none). Needs root, and the packages mosquitto, mosquitto-clients and nftables.
# tests/bench/sensor.sh [ROUNDS [spt|virtio|hvt]...]
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/bench/appliance.sh
. tests/e2e/guests/config_volume.sh
bench_arguments "$@"
need "mosquitto mosquitto-clients nftables" mosquitto mosquitto_pub mosquitto_sub nft
make_lan benchsensor-$$

sensors=32
away_seconds=10    # of the broker, as the guest sees it
steady_seconds=5
peer_lines=4000
serial_lines=20

cat >"$work/mosquitto.conf" <<'CONF'
listener 1883 10.77.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
CONF
ip netns exec "$space-client" mosquitto -c "$work/mosquitto.conf" >"$work/broker" 2>&1 &
for ((i = 0; i < 200; i++)); do
  ! client bash -c "exec 3<>/dev/tcp/10.77.0.1/1883" 2>/dev/null || break
  ((i < 199)) || { echo "error: mosquitto does not listen" >&2; cat "$work/broker" >&2; exit 1; }
  sleep 0.05
done
# Each message a line: Unix time, topic, payload.
ip netns exec "$space-client" mosquitto_sub -h 10.77.0.1 -q 1 -t 'bench/#' -F '%U %t %p' >"$work/got" &
sleep 0.5

volume() {  # volume SETTING...: the config volume
  local -a lines=(hostname=bench net0.name=service net0.mac=52:54:00:12:34:56 net0.address=10.77.0.2/24)
  [[ $* != *'from serial'* ]] || lines+=(net1.name=serial net1.mac=52:54:00:12:34:57)
  rm -rf "$work/files"
  mkdir "$work/files"
  printf '%s\n' 'broker 10.77.0.1' 'topic bench' 'buffer 20000' "$@" >"$work/files/sensor.conf"
  volume_of "$work/volume.tar" "$work/files" "${lines[@]}"
}
all_sensors() {
  for ((i = 1; i <= sensors; i++)); do echo "sensor s$i from simulated 0 100 every 100ms"; done
}

got() { wc -l <"$work/got"; }
# new PATTERN: lines that came behind the first $mark and show it.
new() { tail -n +$((mark + 1)) "$work/got" | grep -E "$1" || true; }
until_new() {  # until_new PATTERN COUNT
  for ((i = 0; i < 3000; i++)); do
    (($(new "$1" | wc -l) < $2)) || return 0
    sleep 0.02
  done
  echo "error: only $(new "$1" | wc -l) of $2 messages: $1" >&2
  tail -n 5 "$work"/console "$work"/serial "$work"/broker >&2 2>/dev/null || true
  exit 1
}
# From the command's start to its first message.
first_ms() {
  new "$1" | awk 'NR == FNR { if (FNR == 1) began = $2; next }
    FNR == 1 { printf "%.1f\n", ($1 - began) * 1000 }' "$work/said" -
}
rate() { awk 'NR == 1 { first = $1 } { last = $1 } END { print (NR - 1) / (last - first) }'; }

steady() {  # steady ours|peer PID: rate, and processor time for each message
  local processor count
  mark=$(got)
  processor=$(processor_ns "$2")
  sleep "$steady_seconds"
  count=$(($(got) - mark))
  note steady "$1" "$(new . | head -n "$count" | rate)"
  note processor "$1" "$((($(processor_ns "$2") - processor) / count / 1000))"
}

payload='{"boot":"5f01c2d3","sequence":7000,"age_ms":12,"count":1,"mean":21.5,"min":21.5,"max":21.5,"lost":0}'
mkfifo "$work/lines"
exec 5<>"$work/lines"
peer() {
  local number pid feeder
  mark=$(got)
  ip netns exec "$space-peer" tests/bench/serial_line.py 0 "$work/said" \
    mosquitto_pub -h 10.77.0.1 -q 1 -t bench/peer -l <"$work/lines" &
  pid=$!
  echo "$payload" >&5
  until_new bench/peer 1
  note first peer "$(first_ms bench/peer)"
  mark=$(got)
  for ((number = 0; number < peer_lines; number++)); do echo "$payload"; done >&5
  until_new bench/peer "$peer_lines"
  note rate peer "$(new bench/peer | rate)"
  note memory peer "$(resident "$pid")"
  while sleep 0.1; do for ((number = 0; number < sensors; number++)); do echo "$payload"; done >&5; done &
  feeder=$!
  steady peer "$pid"
  kill "$feeder"
  wait "$feeder" || true
  sleep 0.5
  mark=$(got)
  for ((number = 1; number <= serial_lines; number++)); do
    echo "$number $(date +%s.%N)"
    echo "\"mean\":$number," >&5
    sleep 0.05
  done >"$work/said"
  latencies peer
  kill "$pid"
  wait "$pid" || true
}
latencies() {  # latencies ours|peer: from $work/said to the messages behind $mark
  until_new '"mean":' "$serial_lines"
  new '"mean":' | sed -nE 's/^([0-9.]+) .*"mean":([0-9]+).*/\2 \1/p' |
    awk 'NR == FNR { said[$1] = $2; next } $1 in said { printf "%.1f\n", ($2 - said[$1]) * 1000 }' \
      "$work/said" - >>"$work/latency.$1"
}

# start PLATFORM LINES: the guest; $guest_pid is its monitor, by then connected.
start() {
  guest sensor "$1" 8 52:54:00:12:34:56
  [[ $1 == virtio ]] || command=("${command[0]}" --net:serial=@9 --net-mac:serial=52:54:00:12:34:57
    "${command[@]:1}")
  mark=$(got)
  ip netns exec "$space-client" tests/bench/serial_line.py "$2" "$work/said" "${command[@]}" \
    </dev/null >"$work/console" 2>&1 &
  guest_pid=$!
  until_new 'bench/status online' 1
}
stop() {
  kill "$guest_pid"
  wait "$guest_pid" 2>/dev/null || true
}
ours() {  # ours PLATFORM
  mapfile -t lines < <(all_sensors)
  volume "${lines[@]}"
  start "$1" 0
  note first ours "$(first_ms 'bench/status online')"
  steady ours "$guest_pid"
  client nft 'add table ip away; add chain ip away in { type filter hook input priority 0; };
    add rule ip away in ip saddr 10.77.0.2 tcp dport 1883 reject with tcp reset'
  sleep "$away_seconds"
  mark=$(got)
  client nft delete table ip away
  until_new 'bench/status online' 1
  until_new '"age_ms":[0-9]{1,2},' 10
  note rate ours "$(new '"age_ms":[0-9]{4,},' | rate)"
  note memory ours "$(resident "$guest_pid")"
  stop
  [[ $1 != virtio ]] || return 0
  volume 'sensor line from serial as t every 100ms'
  start "$1" "$serial_lines"
  latencies ours
  stop
}

for platform in "${platforms[@]}"; do
  forget_figures
  note size ours "$(stat -c %s "$(image_of sensor "$platform")")"
  note size peer "$(stat -Lc %s "$(command -v mosquitto_pub)")"
  for ((round = 0; round < rounds; round++)); do
    peer
    ours "$platform"
  done
  row "$platform" "start to first message" ms first mosquitto_pub
  row "$platform" "bytes of the program" B size mosquitto_pub
  row "$platform" "memory after it, monitor and all" KiB memory mosquitto_pub
  row "$platform" "messages told after the broker was away, QoS 1" 1/s rate mosquitto_pub
  row "$platform" "messages with $sensors sensors every 100 ms, the most of its settings" 1/s steady mosquitto_pub
  row "$platform" "processor time for one of those" us processor mosquitto_pub
  [[ ! -e $work/latency.ours ]] ||
    row "$platform" "a line's reading to its message, with a window of 100 ms" ms latency mosquitto_pub
done
