# Sourced by the benches of the appliances: arguments, a network, how a guest is started, memory and
# processor time of what runs it, and the lines that all print. Sets build, and work unless it is set.
build=${FLEET_BUILD:-$PWD/build/release}
export PATH=$PATH:/usr/sbin
work=${work:-$(mktemp -d)}
chmod 755 "$work"  # mosquitto runs as a user of its own

# bench_arguments [ROUNDS [PLATFORM]...]: sets rounds, and platforms.
bench_arguments() {
  rounds=${1:-3}
  (($# > 1)) && platforms=("${@:2}") || platforms=(spt virtio)
}
need() {  # need PACKAGES PROGRAM...
  local packages=$1 program; shift
  for program in "$@"; do
    command -v "$program" >/dev/null ||
      { echo "error: $program is missing: apt-get install $packages" >&2; exit 1; }
  done
}

# make_lan SPACE: the bridge and the client are one namespace, 10.77.0.1; the peer is behind a veth,
# 10.77.0.3; the guest is behind its tap, guest0. All of it goes at the end, and $work.
make_lan() {
  space=$1
  trap end_lan EXIT
  ip netns add "$space-client"
  ip netns add "$space-peer"
  client ip link set lo up
  client ip link add lan address 02:00:c0:00:02:01 type bridge
  client ip addr add 10.77.0.1/24 dev lan
  client ip link set lan up
  client ip tuntap add guest0 mode tap
  client ip link set guest0 master lan up
  ip -n "$space-client" link add peer0 type veth peer name eth0 netns "$space-peer"
  client ip link set peer0 master lan up
  ip -n "$space-peer" addr add 10.77.0.3/24 dev eth0
  ip -n "$space-peer" link set eth0 up
}
end_lan() {
  local name pid
  for name in client peer; do
    for pid in $(ip netns pids "$space-$name"); do kill "$pid" 2>/dev/null || true; done
  done
  wait
  for name in client peer; do ip netns del "$space-$name" 2>/dev/null || true; done
  rm -rf "$work"
}
client() { ip netns exec "$space-client" "$@"; }

image_of() { echo "$build/images/$1/$1.$(uname -m).$2"; }  # image_of APP PLATFORM

# guest APP PLATFORM MEMORY_MIB MAC: sets command, which runs the image with one interface on the tap
# guest0 and the config volume $work/volume.tar.
guest() {
  local image
  image=$(image_of "$1" "$2")
  if [[ $2 != virtio ]]; then
    command=("$build/bin/fleet-$2" --mem="$3" --net:service=guest0 --net-mac:service="$4"
      --block:config="$work/volume.tar" "$image")
    return
  fi
  command=(qemu-system-x86_64 -M microvm,acpi=off -accel tcg -m "$3" -nodefaults -no-user-config
    -no-reboot -display none -serial "file:$work/serial" -global virtio-mmio.force-legacy=false
    -kernel "$image" -initrd "$work/volume.tar"
    -netdev tap,id=n0,ifname=guest0,script=no,downscript=no
    -device "virtio-net-device,netdev=n0,mac=$4")
}

family() {  # family PID: it and all below it
  local child
  echo "$1"
  for child in $(pgrep -P "$1" || true); do family "$child"; done
}
resident() {  # resident PID: KiB of its family, shared pages in proportion (PSS)
  local pid
  for pid in $(family "$1"); do awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null || true; done |
    awk '{ sum += $1 } END { print sum + 0 }'
}
processor_ns() {  # processor_ns PID: that its family has had so far
  local pid
  for pid in $(family "$1"); do cat "/proc/$pid"/task/*/schedstat 2>/dev/null || true; done |
    awk '{ sum += $1 } END { printf "%d\n", sum }'
}

# note FIGURE ours|peer VALUE: one round's; row prints the medians.
note() { echo "$3" >>"$work/$1.$2"; }
forget_figures() { rm -f "$work"/*.ours "$work"/*.peer; }
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# row PLATFORM WHAT UNIT FIGURE PEER: a line of JSON; without a peer's values there is no ratio.
row() {
  local ours theirs=
  ours=$(median "$work/$4.ours")
  [[ ! -e $work/$4.peer ]] || theirs=$(median "$work/$4.peer")
  awk -v platform="$1" -v what="$2" -v unit="$3" -v ours="$ours" -v theirs="$theirs" -v peer="${5:-}" 'BEGIN {
    printf "{\"platform\":\"%s\",\"row\":\"%s\",\"unit\":\"%s\",\"ours\":%.7g", platform, what, unit, ours
    if (theirs != "") printf ",\"%s\":%.7g,\"ratio\":%.2f", peer, theirs, ours / theirs
    print "}" }'
}
