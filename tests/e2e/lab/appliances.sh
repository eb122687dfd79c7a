# A job for the lab, after tenders.sh: the firewall as a router, the sensor and an image of `fleetctl
# build` on each of LAB_TARGETS. The machine is the device; who is inside and outside lives in
# namespaces of their own.
cpu=$(uname -m)
unshare -n sleep 900 & inside=$!
unshare -n sleep 900 & outside=$!
inside() { nsenter -t "$inside" -n "$@"; }
outside() { nsenter -t "$outside" -n "$@"; }

# side NAME PROCESS: a tap and a bridge, and eth0 of that process's namespace at it.
side() {
  tunctl -t "$1" >/dev/null
  ip link add "br-$1" type bridge
  ip link add "to-$1" type veth  # busybox knows no name for the other end: it is veth0
  ip link set veth0 netns "$2"
  for port in "$1" "to-$1"; do ip link set "$port" master "br-$1" && ip link set "$port" up; done
  ip link set "br-$1" up
  nsenter -t "$2" -n ip link set veth0 name eth0
  nsenter -t "$2" -n ip link set eth0 up
}
side lan "$inside"
side wan "$outside"
for tap in mgmt unused; do tunctl -t "$tap" >/dev/null && ip link set "$tap" up; done
ip addr add 10.79.0.1/24 dev mgmt
inside ip addr add 192.168.1.10/24 dev eth0
inside ip route add default via 192.168.1.1
outside ip addr add 198.51.100.7/24 dev eth0
outside ip route add 192.168.1.0/24 via 198.51.100.1

fail() { echo "FAILED: $target: $*"; cat /tmp/console /tmp/report; exit 1; }
boot() {  # boot IMAGE VOLUME INTERFACE=TAP=MAC...
  local image=$1 volume=$2 one name tap mac
  local -a arguments=()
  shift 2
  for one; do
    IFS== read -r name tap mac <<<"$one"
    arguments+=("--net:$name=$tap" "--net-mac:$name=$mac")
  done
  [[ $target != hvt ]] || arguments+=(--kvm=@5)
  exec 5<>/dev/kvm
  build/bin/fleet-"$target" --mem=32 "${arguments[@]}" --block:config=@6 --exit-report=@3 -- @7 \
    >/tmp/console 3>/tmp/report 6<"$volume" 7<"$image.$cpu.$target" &
  monitor=$!
}
stop() { kill -TERM "$monitor"; wait "$monitor"; }
until_ok() {
  local tries
  for ((tries = 0; tries < 60; tries++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.5
  done
  page 10.79.0.3 9100 /metrics
  fail "never came true: $*"
}
# page ADDRESS PORT PATH: what it says there; a static busybox's wget cannot resolve even a number.
page() { printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$3" "$1" | nc -w 5 "$1" "$2"; }
# figure NAME: of the metrics page.
figure() { page 10.79.0.3 9100 /metrics | sed -n "s/^$1 //p"; }
at_least() { (($(figure "$1") >= $2)); }

for target in $LAB_TARGETS; do
  boot build/images/firewall/firewall firewall.tar wan=wan=52:54:00:00:00:01 \
    lan=lan=52:54:00:00:00:02 mgmt=mgmt=52:54:00:00:00:03
  until_ok inside ping -c 1 -W 1 198.51.100.7
  ! outside ping -c 1 -W 2 192.168.1.10 >/dev/null || fail "a ping came in"
  outside nc -l -p 7000 >/tmp/heard </dev/null & listener=$!
  sleep 1
  echo through | inside nc -w 5 198.51.100.7 7000
  wait "$listener"
  [[ $(cat /tmp/heard) == through ]] || fail "no TCP through it"
  until_ok at_least firewall_flows_opened_total 2
  stop
  echo "ok: $target on $cpu: the firewall lets out and lets nobody in"

  nc -l -p 1883 >/tmp/heard </dev/null & listener=$!
  boot build/images/sensor/sensor sensor.tar service=mgmt=52:54:00:00:00:03 \
    serial=unused=52:54:00:00:00:04
  until_ok grep -q MQTT /tmp/heard
  until_ok at_least sensor_readings_total 5
  stop
  kill "$listener" 2>/dev/null
  echo "ok: $target on $cpu: the sensor reads, and asks for its broker"

  boot hello/hello hello.tar service=mgmt=52:54:00:00:00:03
  greets() { page 10.79.0.3 80 / | grep -qx "hello, $cpu"; }
  until_ok greets
  stop
  echo "ok: $target on $cpu: what fleetctl built answers"
done
kill "$inside" "$outside"
