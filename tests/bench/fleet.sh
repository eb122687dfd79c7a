#!/usr/bin/env bash
# What a fleet costs its controller: simulated devices over the real link (tests/fleet_sim), beside a
# mosquitto that holds as many idle TLS clients in the same run. Memory per idle device, processor
# time of the controller for each device (idle, in a push, when all come again after kill -9), how
# long each took, and what a reader of the API waits meanwhile. Processor time is what to compare
# between sizes and machines: it hardly knows of others' load.
# tests/bench/fleet.sh [DEVICES]...  (100 1000; 10000 is a matter of a quarter of an hour)
port=18560 device_port=18561 broker_port=18562
. "$(dirname "$0")/../e2e/controller_alone.sh"
command -v mosquitto >/dev/null || { echo "error: mosquitto is missing: apt-get install mosquitto" >&2; exit 1; }
ulimit -n 20000

# Without what other programs share with it, which depends on them. KiB
own() { awk '/^Pss_Anon:/ {print $2}' "/proc/$1/smaps_rollup"; }
cpu_ms() { awk '{print ($14 + $15) * 10}' "/proc/$1/stat"; }
each_us() { echo $((($(cpu_ms "$controller") - $1) * 1000 / $2)); }  # each_us SINCE DEVICES
now_ms() { date +%s%3N; }
per_process=5000  # two descriptors for each device that downloads
sims=()
said() { for log in "$work"/sim-*.log; do tail -n 1 "$log"; done | jq -s "map(.$1) | add // 0"; }
end_sims() { kill "${sims[@]}" 2>/dev/null || true; wait "${sims[@]}" 2>/dev/null || true; sims=(); }
trap 'status=$?; trap - EXIT; end_sims; stop_controller; rm -rf "$work"; exit $status' EXIT
start_sims() {  # start_sims DEVICES
  local first count
  for ((first = 0; first < $1; first += per_process)); do
    count=$(($1 - first < per_process ? $1 - first : per_process))
    fleet-sim --bootstrap "$work/sim.boot" --devices "$count" --names "sim-$first-" \
      >"$work/sim-$first.log" 2>"$work/sim-$first.err" &
    sims+=($!)
  done
}
until_said() {  # until_said FIELD AT-LEAST SECONDS
  local deadline=$(($(now_ms) + $3 * 1000))
  until [[ $(said "$1" 2>/dev/null || echo 0) -ge $2 ]]; do
    kill -0 "${sims[@]}" 2>/dev/null || die "fleet-sim ended: $(cat "$work"/sim-*.err)"
    (($(now_ms) < deadline)) || die "after $3 s $1 is $(said "$1") of $2"
    sleep 0.2
  done
}
# A reader of the API on one connection, every 50 ms, until its input ends; then p50 and p99 in ms.
reader() {
  python3 - "$port" "$work/ca.pem" "$work/admin.token" <<'PY'
import http.client, select, ssl, sys, time
port, ca, token = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
headers = {"Authorization": "Bearer " + open(token).read().strip()}
took, connection, end = [], None, time.time() + float(open("reader.seconds").read())
while time.time() < end:
    began = time.time()
    try:
        connection = connection or http.client.HTTPSConnection("localhost", int(port), context=context, timeout=30)
        connection.request("GET", "/v1/status", headers=headers)
        connection.getresponse().read()
        took.append((time.time() - began) * 1000)
    except OSError:
        connection = None
    time.sleep(0.05)
took.sort()
print("p50 %.1f p99 %.1f max %.1f ms of %d" % (took[len(took) // 2], took[len(took) * 99 // 100], took[-1], len(took)) if took else "no answer")
PY
}
read_for() { echo "$1" >"$work/reader.seconds"; (cd "$work" && reader >"$work/reader.out") & reading=$!; }

# Idle clients of MQTT over TLS: KiB of the broker for each.
broker() {  # broker CLIENTS
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/broker.key" -out "$work/broker.pem" \
    -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null
  cat >"$work/broker.conf" <<CONF
listener $broker_port 127.0.0.1
certfile $work/broker.pem
keyfile $work/broker.key
allow_anonymous true
user root
max_connections -1
CONF
  mosquitto -c "$work/broker.conf" >"$work/broker.log" 2>&1 & local broker=$!
  sleep 1
  local before after
  before=$(own $broker)
  rm -f "$work/clients.out"  # of the size before
  python3 - "$broker_port" "$1" "$work/broker.pem" <<'PY' >"$work/clients.out" & local clients=$!
import asyncio, ssl, sys
port, count, ca = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
context = ssl.create_default_context(cafile=ca)
open_ones = []
async def one(n):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    name = b"c%d" % n
    body = b"\0\4MQTT\4\2\3\x84" + len(name).to_bytes(2, "big") + name
    writer.write(b"\x10" + bytes([len(body)]) + body)
    await reader.readexactly(4)
    open_ones.append((reader, writer))
async def main():
    for start in range(0, count, 50):
        await asyncio.gather(*(one(n) for n in range(start, min(start + 50, count))))
    print("ready", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
PY
  until grep -qs ready "$work/clients.out"; do kill -0 $clients 2>/dev/null || die "no clients of mosquitto: $(<"$work/broker.log")"; sleep 0.5; done
  sleep 2
  after=$(own $broker)
  kill $clients $broker; wait $clients $broker 2>/dev/null || true
  awk -v a="$before" -v b="$after" -v n="$1" 'BEGIN {printf "%.1f", (b - a) / n}'
}

one_size() {  # one_size DEVICES
  local n=$1 before idle cpu began rollout per_device peer healthy=0 patience=$((120 + $1 / 10))
  rm -rf "${work:?}"/{controller,operator,second,app,controller.log} "$work"/sim-*
  fleet-controller init --data-dir "$work/controller" --hostname localhost >/dev/null 2>&1
  cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
  serve
  fleetctl login "https://localhost:$port" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null 2>&1
  fleetctl keys init --second-copy "$work/second" >/dev/null 2>&1
  fleetctl keys delegate dns >/dev/null 2>&1
  fleetctl enroll-token --group sim --uses "$n" -o "$work/sim.boot" >/dev/null
  before=$(own "$controller")
  cpu=$(cpu_ms "$controller")
  began=$(now_ms)
  start_sims "$n"
  until_said enrolled "$n" "$patience"
  until_said online "$n" "$patience"
  printf '%6d devices   enrolled and linked in %d ms, %d us of a processor for each\n' "$n" \
    $(($(now_ms) - began)) "$(each_us "$cpu" "$n")"
  sleep 12
  idle=$(own "$controller")
  per_device=$(awk -v a="$before" -v b="$idle" -v n="$n" 'BEGIN {printf "%.1f", (b - a) / n}')
  cpu=$(cpu_ms "$controller"); sleep 20
  printf '       idle: controller %d KiB alone, %s KiB for each device; %d us of a processor for each device and second\n' \
    "$before" "$per_device" $(($(each_us "$cpu" "$n") / 20))
  read_for 5
  wait "$reading" || true
  printf '       status: %s\n' "$(<"$work/reader.out")"
  peer=$(broker "$n")
  awk -v ours="$per_device" -v peer="$peer" 'BEGIN {printf "       mosquitto: %s KiB for each idle client; ours is %.1f times that\n", peer, ours / peer}'

  [[ -d $work/app ]] || (dns_app)
  cd "$work/app"
  sed -i 's#x86_64/virtio: dns.x86_64.virtio#x86_64/spt: dns.x86_64.spt#' manifest.yml
  cp "$build/images/dns/dns.x86_64.spt" .
  for what in "first push" "next push"; do
    read_for 12
    cpu=$(cpu_ms "$controller")
    fleetctl push dns --to sim --strategy all --detach >"$work/push.out" 2>&1 || die "$(<"$work/push.out")"
    rollout=$(fleetctl rollouts --json | jq -r '.rollouts[0].id')
    healthy=$((healthy + n))
    until_said healthy "$healthy" "$patience"
    sleep 1
    cpu=$(each_us "$cpu" "$n")
    wait "$reading" || true
    printf '       %s: %s, the last after %d ms, %d us for each   API meanwhile: %s\n' "$what" \
      "$(fleetctl rollout show "$rollout" --json | jq -r .verdict)" \
      "$(fleetctl rollout show "$rollout" --json | jq -r '(.ended_ms | tonumber) - (.created_ms | tonumber)')" \
      "$cpu" "$(<"$work/reader.out")"
    sed -i 's/rrl=20/rrl=21/' manifest.yml
  done

  kill -9 "$controller"; wait "$controller" 2>/dev/null || true
  until [[ $(said online) == 0 ]]; do sleep 0.2; done
  began=$(now_ms)
  serve
  cpu=$(cpu_ms "$controller")
  read_for 12
  until_said online "$n" "$patience"
  printf '       kill -9: all links again after %d ms, %d us for each' $(($(now_ms) - began)) "$(each_us "$cpu" "$n")"
  wait "$reading" || true
  printf '   API meanwhile: %s\n' "$(<"$work/reader.out")"
  end_sims
  cd "$root"
  stop_controller
}

umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
sizes=("$@")
((${#sizes[@]})) || sizes=(100 1000)
for size in "${sizes[@]}"; do one_size "$size"; done
