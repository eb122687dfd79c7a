# Sourced: a firewall guest between two networks of its own. Namespaces of the caller's $net: $net has
# the guest's taps, each on a bridge with a veth to $net-out (outside) and $net-in (inside).
# Offers volume, boot, inside, outside and guest.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../guest.sh"

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

# make_wires: without addresses. make_networks: with those of a bridged network.
make_wires() {
  local name
  for name in "$net" "$net-in" "$net-out"; do namespace "$name"; done
  side wan "$net-out"
  side lan "$net-in"
  ip -n "$net" tuntap add mgmt mode tap
  ip -n "$net" link set mgmt up
  ip -n "$net" addr add 10.79.0.1/24 dev mgmt
}
make_networks() {
  make_wires
  ip -n "$net-in" addr add 10.5.0.1/24 dev eth0
  ip -n "$net-out" addr add 10.5.0.2/24 dev eth0
  ip -n "$net-in" addr add 2001:db8:5::1/64 dev eth0
  ip -n "$net-out" addr add 2001:db8:5::2/64 dev eth0
}
inside() { ip netns exec "$net-in" "$@"; }
outside() { ip netns exec "$net-out" "$@"; }

# volume RULES [ARGUMENT...]: the config volume of a bridge; RULES is a file, or - for none.
volume() {
  addressed_volume "" "" "$@"
}
# addressed_volume WAN LAN RULES [ARGUMENT...]: the same with more lines for those two, as
# "address=192.0.2.1/24 gateway=192.0.2.254".
addressed_volume() {
  local lines=() line wan=$1 lan=$2 rules=$3
  shift 3
  for line in name=wan mac=52:54:00:00:00:01 $wan; do lines+=("net0.$line"); done
  for line in name=lan mac=52:54:00:00:00:02 $lan; do lines+=("net1.$line"); done
  rm -rf "$work/files"
  mkdir "$work/files"
  [[ $rules == - ]] || cp "$rules" "$work/files/rules"
  guest_volume "$work/files" hostname=fw "${lines[@]}" net2.name=mgmt net2.mac=52:54:00:00:00:03 \
    net2.address=10.79.0.3/24 -- "$@"
}

boot() {
  guest_boot firewall/firewall 32 wan=wan=52:54:00:00:00:01 lan=lan=52:54:00:00:00:02 \
    mgmt=mgmt=52:54:00:00:00:03
}
