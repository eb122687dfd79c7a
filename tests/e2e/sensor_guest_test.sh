#!/usr/bin/env bash
# The sensor image alone against Debian's mosquitto, in a network namespace: what it publishes, its
# last will, commands, a broker that stops and one that is killed, a full buffer, passwords, settings
# refused by file and line. Under QEMU (virtio) and fleet-spt. Needs root, the built images and QEMU.
#   sensor_guest_test.sh [virtio|spt|hvt|aarch64.virtio]...
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
: "${FLEET_BUILD:?FLEET_BUILD is the build folder}"
net=fleet-sensor-$$
source "$here/guest.sh"
chmod 755 "$work"
broker= subscriber=
also_started() { echo "$broker $subscriber"; }
fail() {
  echo "FAILED: ${platform:-}: $*" >&2
  tail -n 20 "$work/console" "$work/broker" "$work/got" "$work/watcher" >&2 || true
  exit 1
}
inside() { ip netns exec "$net" "$@"; }

namespace "$net"
ip -n "$net" tuntap add guest0 mode tap
ip -n "$net" addr add 10.77.0.1/24 dev guest0
ip -n "$net" link set guest0 up

# volume [PASSWORD]: the config volume with $work/sensor.conf.
volume() {
  rm -rf "$work/files"
  mkdir "$work/files"
  cp "$work/sensor.conf" "$work/files/"
  (($# == 0)) || printf '%s\n' "$1" >"$work/files/mqtt.password"
  guest_volume "$work/files" hostname=gateway-1 net0.mac=52:54:00:12:34:56 \
    net0.address=10.77.0.3/24 net0.gateway=10.77.0.1
}

# python3 -c "$with_line" PROGRAM...: descriptor 9 is a serial line at which nothing is attached.
with_line='
import os, socket, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
ours.set_inheritable(True)
os.dup2(theirs.fileno(), 9)
os.execv(sys.argv[1], sys.argv[1:])'

guest_under=(python3 -c "$with_line")
boot() {
  guest_more=()
  [[ $platform == *virtio ]] || guest_more=(--net:serial=@9)  # which a tender wants
  guest_boot sensor/sensor 8 service=guest0=52:54:00:12:34:56
}
refused() {  # refused LINE: it ends with status 1 and says so
  volume
  boot
  ended 1
  said "$1" || fail "the console does not say: $1"
}
stop_guest() { stop -KILL; }

broker_conf() {  # broker_conf [LINE]...
  cat >"$work/mosquitto.conf" <<CONF
listener 1883 10.77.0.1
persistence true
persistence_location $work/store/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
allow_anonymous true
CONF
  (($# == 0)) || printf '%s\n' "$@" >>"$work/mosquitto.conf"
}
start_broker() {
  mkdir -p "$work/store"
  chown mosquitto "$work/store"
  ip netns exec "$net" mosquitto -c "$work/mosquitto.conf" >>"$work/broker" 2>&1 &
  broker=$!
  until inside bash -c 'exec 3<>/dev/tcp/10.77.0.1/1883' 2>/dev/null; do sleep 0.05; done
}
stop_broker() {  # stop_broker SIGNAL
  kill "-$1" "$broker"
  wait "$broker" 2>/dev/null || true
  broker=
}
publish() { inside mosquitto_pub -h 10.77.0.1 -q 1 "$@"; }
# subscribe TOPIC: into $work/got, "TOPIC PAYLOAD" a line, over the broker's restarts.
subscribe() {
  : >"$work/got"
  ip netns exec "$net" mosquitto_sub -h 10.77.0.1 -c -i watcher -q 1 -v -t "$1" >"$work/got" 2>"$work/watcher" &
  subscriber=$!
}
unsubscribe() {
  kill "$subscriber" 2>/dev/null || true
  wait "$subscriber" 2>/dev/null || true
  subscriber=
}
# until_true SECONDS COMMAND...
until_true() {
  local ticks=$(($1 * 20)); shift
  for ((tick = 0; tick < ticks; tick++)); do "$@" 2>/dev/null && return; sleep 0.05; done
  return 1
}
got() { grep -qE "$1" "$work/got"; }
count_at_least() { (($(grep -c "^plant/lyon/$1 " "$work/got") >= $2)); }
sequences() { sed -nE "s|^plant/lyon/$1 .*\"sequence\":([0-9]+),.*|\1|p" "$work/got"; }
# Each number from the first to the last, at least once.
without_gap() {
  sequences "$1" | sort -nu | awk 'NR > 1 && $1 != last + 1 {bad = 1} {last = $1} END {exit bad || NR < 2}'
}

test_platform() {
  rm -rf "$work/store"
  cat >"$work/sensor.conf" <<'CONF'
broker 10.77.0.1:1883   # the host
topic plant/lyon
keepalive 5s
metrics 9100
buffer 5000
sensor load from simulated 10 20 every 100ms
CONF
  broker_conf
  start_broker
  subscribe 'plant/#'
  volume
  boot
  until_true 10 said 'sensor: connected to 10.77.0.1:1883 as gateway-1' || fail "it never connected"
  until_true 10 count_at_least load 5 || fail "no messages"
  got '^plant/lyon/status online$' || fail "no status"
  local one
  one=$(sed -n 's/^plant.lyon.load //p' "$work/got" | head -n 1)
  python3 - "$one" <<'PYTHON' || fail "not the message that README shows: $one"
import json, sys
m = json.loads(sys.argv[1])
assert set(m) == {"boot", "sequence", "age_ms", "count", "mean", "min", "max", "lost", "simulated"}, m
assert m["simulated"] is True and m["lost"] == 0 and m["count"] >= 1
assert 10 <= m["min"] <= m["mean"] <= m["max"] <= 20, m
PYTHON
  ok "publishes summaries, and says that they are simulated"

  [[ $(inside curl -fs http://10.77.0.3:9100/healthz) == ok ]] || fail "no /healthz"
  inside curl -fs http://10.77.0.3:9100/metrics >"$work/metrics" || fail "no /metrics"
  promtool check metrics <"$work/metrics" >/dev/null || fail "not Prometheus' format"
  grep -q '^sensor_broker_connected 1$' "$work/metrics" || fail "it says that it is not connected"
  (($(sed -n 's/^sensor_messages_published_total //p' "$work/metrics") >= 5)) || fail "no count"
  ok "counters and health by HTTP"

  stop_broker TERM
  until_true 10 said 'again in' || fail "the broker's end is not told"
  sleep 3
  start_broker
  local before
  before=$(sequences load | tail -n 1)
  until_true 30 said 'messages wait' || fail "no back-off"
  later() { local last; last=$(sequences load | tail -n 1); ((last > before + 40)); }
  until_true 60 later || fail "nothing after the broker's restart"
  without_gap load || fail "a message was lost over the restart: $(sequences load | tr '\n' ' ')"
  ok "a broker's restart loses no message"
  stop_broker KILL
  sleep 2
  start_broker
  before=$(sequences load | tail -n 1)
  until_true 60 later || fail "nothing after the broker was killed"
  ok "it comes back to a broker that was killed"

  publish -t plant/lyon/command -m 'state'
  until_true 10 got '^plant/lyon/reply \{"readings":' || fail "no state"
  publish -t plant/lyon/command -m 'every load 2s'
  until_true 10 got '^plant/lyon/reply ok$' || fail "no answer to every"
  sleep 0.5
  before=$(grep -c '^plant/lyon/load ' "$work/got")
  sleep 3
  (($(grep -c '^plant/lyon/load ' "$work/got") - before <= 3)) || fail "every changed nothing"
  publish -t plant/lyon/command -m 'every lod 2s'
  until_true 10 got '^plant/lyon/reply error: no such sensor$' || fail "a wrong command is not told"
  publish -t plant/lyon/command -m "$(printf 'x%.0s' {1..4000})"
  until_true 10 got '^plant/lyon/reply error: a command of more than 128 bytes$' || fail "a long command"
  ok "takes commands, and refuses others with a reason"
  stop_guest
  until_true 20 got '^plant/lyon/status offline$' || fail "no last will"
  ok "its last will is told"
  unsubscribe
  stop_broker TERM

  # A full buffer keeps the newest. The broker knows the subscriber before it is away.
  rm -rf "$work/store"
  start_broker
  inside mosquitto_sub -h 10.77.0.1 -c -i watcher -q 1 -E -t plant/lyon/load
  sleep 1.5  # the broker stores that once a second
  stop_broker TERM
  sed -i 's/^buffer .*/buffer 20/' "$work/sensor.conf"
  volume
  boot
  until_true 20 said 'messages lost since the start' || fail "the full buffer is not told"
  start_broker
  subscribe 'plant/lyon/load'
  until_true 90 count_at_least load 25 || fail "nothing from the full buffer"
  without_gap load || fail "a gap behind the oldest: $(sequences load | tr '\n' ' ')"
  local lost
  lost=$(sed -nE '1s|.*"lost":([0-9]+).*|\1|p' "$work/got")
  ((lost > 0 && $(sequences load | head -n 1) == lost + 1)) ||
    fail "not the oldest were lost: $(head -n 1 "$work/got")"
  ok "a full buffer drops the oldest, and says how many"
  stop_guest
  unsubscribe
  stop_broker TERM

  # Passwords.
  printf 'ana:%s\n' secret >"$work/passwords"
  mosquitto_passwd -U "$work/passwords"
  chown mosquitto "$work/passwords"
  rm -rf "$work/store"
  broker_conf 'allow_anonymous false' "password_file $work/passwords"
  sed -i '/^allow_anonymous true/d' "$work/mosquitto.conf"
  start_broker
  echo 'user ana' >>"$work/sensor.conf"
  volume wrong
  boot
  until_true 20 said 'refused: ' || fail "a wrong password is not told"
  stop_guest
  volume secret
  boot
  until_true 20 said 'sensor: connected to' || fail "not with the right password"
  ! said secret || fail "the console shows the password"
  ok "user and password"
  stop_guest
  stop_broker TERM

  printf 'broker 10.77.0.1\nsensor a from serial\nsensor b from serial every 10\n' >"$work/sensor.conf"
  refused 'sensor: /sensor.conf:3: every: not a time of 100ms..1h: 10'
  printf 'sensor a from simulated 1 2\n' >"$work/sensor.conf"
  refused 'sensor: /sensor.conf: no broker'
  printf 'broker 10.77.0.1\nbuffer 1000000\nsensor a from simulated 1 2\n' >"$work/sensor.conf"
  refused 'give the app more memory'
  ok "refuses bad settings by file and line, and a buffer that does not fit"
}

(($# > 0)) || set -- virtio spt
for platform in "$@"; do test_platform; done
echo "$passed passed, 0 failed"
