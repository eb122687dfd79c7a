# Sourced: a firewall guest between two networks of its own. Namespaces of the caller's $net: $net has
# the guest's taps, each on a bridge with a veth to $net-out (outside) and $net-in (inside).
# Sets work, monitor; offers volume, boot, stop, inside, outside, until_ok, said, until_said.

work=$(mktemp -d)
monitor=
started=()

finish() {
  local status=$? pid name
  for pid in $monitor "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for name in "$net" "$net-in" "$net-out"; do ip netns del "$name" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail() {
  echo "FAILED: ${platform:-}: $*" >&2
  tail -n 20 "$work/console" "$work/stderr" >&2 2>/dev/null || true
  exit 1
}

quiet_namespace() {
  ip netns add "$1"
  ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
  ip -n "$1" link set lo up
}

# side TAP OTHER: a bridge with that tap, and a veth "eth0" in the other namespace.
side() {
  ip -n "$net" tuntap add "$1" mode tap
  ip -n "$net" link add "br-$1" type bridge mcast_snooping 0
  ip -n "$net" link add "to-$1" type veth peer name eth0 netns "$2"
  ip -n "$net" link set "$1" master "br-$1"
  ip -n "$net" link set "to-$1" master "br-$1"
  local name
  for name in "$1" "to-$1" "br-$1"; do ip -n "$net" link set "$name" up addrgenmode none; done
  ip -n "$2" link set eth0 up
}

make_networks() {
  local name
  for name in "$net" "$net-in" "$net-out"; do quiet_namespace "$name"; done
  side wan "$net-out"
  side lan "$net-in"
  ip -n "$net" tuntap add mgmt mode tap
  ip -n "$net" link set mgmt up
  ip -n "$net" addr add 10.79.0.1/24 dev mgmt
  ip -n "$net-in" addr add 10.5.0.1/24 dev eth0
  ip -n "$net-out" addr add 10.5.0.2/24 dev eth0
  ip -n "$net-in" addr add 2001:db8:5::1/64 dev eth0
  ip -n "$net-out" addr add 2001:db8:5::2/64 dev eth0
}
inside() { ip netns exec "$net-in" "$@"; }
outside() { ip netns exec "$net-out" "$@"; }

# volume RULES [ARGUMENT...]: the config volume; RULES is a file, or - for none.
volume() {
  local root=$work/volume rules=$1
  shift
  rm -rf "$root"
  mkdir -p "$root/files"
  {
    printf 'version=1\nhostname=fw\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')"
    printf 'net0.name=wan\nnet0.mac=52:54:00:00:00:01\nnet1.name=lan\nnet1.mac=52:54:00:00:00:02\n'
    printf 'net2.name=mgmt\nnet2.mac=52:54:00:00:00:03\nnet2.address=10.79.0.3/24\n'
  } >"$root/config"
  [[ $rules == - ]] || cp "$rules" "$root/files/rules"
  : >"$root/args"
  (($# == 0)) || printf '%s\0' "$@" >"$root/args"
  (cd "$root" && tar --format=ustar -cf "$work/volume.tar" config args $(find files -type f))
}

# boot: the guest in the background; its console is $work/console.
boot() {
  local image=$FLEET_BUILD/images/firewall/firewall.$(uname -m).$platform
  local arguments=() number=0 name
  : >"$work/console"
  for name in wan lan mgmt; do
    number=$((number + 1))
    if [[ $platform == virtio ]]; then
      arguments+=(-netdev "tap,id=$name,ifname=$name,script=no,downscript=no"
        -device "virtio-net-device,netdev=$name,mac=52:54:00:00:00:0$number")
    else
      arguments+=("--net:$name=$name" "--net-mac:$name=52:54:00:00:00:0$number")
    fi
  done
  if [[ $platform != virtio ]]; then
    ip netns exec "$net" "$FLEET_BUILD/bin/fleet-$platform" --mem=32 "${arguments[@]}" \
      --block:config="$work/volume.tar" "$image" </dev/null >"$work/console" 2>"$work/stderr" &
  else
    ip netns exec "$net" qemu-system-x86_64 -M microvm,acpi=off -accel tcg -m 32 -nodefaults \
      -no-user-config -no-reboot -display none -global virtio-mmio.force-legacy=false \
      -device isa-debug-exit,iobase=0xf4,iosize=1 -serial "file:$work/console" -kernel "$image" \
      -initrd "$work/volume.tar" "${arguments[@]}" </dev/null 2>"$work/stderr" &
  fi
  monitor=$!
}
stop() {
  kill "$monitor"
  wait "$monitor" 2>/dev/null || true
  monitor=
}

until_ok() {
  for ((i = 0; i < 200; i++)); do
    ! "$@" >/dev/null 2>&1 || return 0
    kill -0 "$monitor" 2>/dev/null || break
    sleep 0.05
  done
  fail "never came true: $*"
}
said() { grep -qF "$1" "$work/console"; }
until_said() { until_ok said "$1"; }
