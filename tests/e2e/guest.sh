# Sourced: guests started by hand, without agent and launcher, in namespaces that the test made. The
# caller has set `net`, the namespace of the guest's taps; it sets `platform` before it boots: spt, hvt,
# virtio, or aarch64.virtio for a machine of another CPU than this one.
# Sets work, monitor, started, passed; offers what stands below.

work=$(mktemp -d)
monitor=   # the guest's process
started=() # others that end with the test
passed=0
namespaces=()

also_started() { :; } # the test's own: prints more processes that end with it

finish_guest() {
  local status=$? pid name
  for pid in $monitor "${started[@]}" $(also_started); do kill "$pid" 2>/dev/null || true; done
  for name in "${namespaces[@]}"; do ip netns del "$name" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}
trap finish_guest EXIT
trap 'exit 130' INT TERM

fail() {
  echo "FAILED: ${platform:-}: $*" >&2
  tail -n 20 "$work/console" "$work/stderr" >&2 2>/dev/null || true
  exit 1
}
ok() { echo "ok: $platform: $*"; passed=$((passed + 1)); }

# namespace NAME: with its loopback, without duplicate address detection; goes with the test.
namespace() {
  ip netns add "$1"
  namespaces+=("$1")
  ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
  ip -n "$1" link set lo up
}

# guest_volume FOLDER LINE... [-- ARGUMENT...]: the config volume of the guest that boots next.
. "$(dirname "${BASH_SOURCE[0]}")/guests/config_volume.sh"
guest_volume() { volume_of "$work/volume.tar" "$@"; }

# guest_image IMAGE: its file for the platform; for ARM64 from the build of its images in this one.
guest_image() {
  case $platform in
    aarch64.*) echo "$FLEET_BUILD/arm64/images/$1.$platform" ;;
    *) echo "$FLEET_BUILD/images/$1.$(uname -m).$platform" ;;
  esac
}

# guest_boot IMAGE MEBIBYTES INTERFACE=TAP=MAC...: an image of $FLEET_BUILD, without its platform, in
# the background, with the volume that was made last. Its console is $work/console.
guest_boot() {
  local image memory=$2 one name tap mac arguments=() machine=()
  image=$(guest_image "$1")
  shift 2
  : >"$work/console"
  for one in "$@"; do
    IFS== read -r name tap mac <<<"$one"
    if [[ $platform == *virtio ]]; then
      arguments+=(-netdev "tap,id=$name,ifname=$tap,script=no,downscript=no"
        -device "virtio-net-device,netdev=$name,mac=$mac")
    else
      arguments+=("--net:$name=$tap" "--net-mac:$name=$mac")
    fi
  done
  if [[ $platform != *virtio ]]; then
    ip netns exec "$net" "${guest_under[@]}" "$FLEET_BUILD/bin/fleet-$platform" --mem="$memory" \
      "${arguments[@]}" "${guest_more[@]}" --block:config="$work/volume.tar" "$image" \
      </dev/null >"$work/console" 2>"$work/stderr" &
  else
    case $image in
      *.aarch64.virtio) machine=(qemu-system-aarch64 -M "${guest_machine:-virt}" -cpu cortex-a72) ;;
      *) machine=(qemu-system-x86_64 -M microvm,acpi=off -device isa-debug-exit,iobase=0xf4,iosize=1) ;;
    esac
    ip netns exec "$net" "${machine[@]}" -accel tcg -m "$memory" -nodefaults -no-user-config \
      -no-reboot -display none -global virtio-mmio.force-legacy=false -serial "file:$work/console" \
      -kernel "$image" -initrd "$work/volume.tar" "${arguments[@]}" "${guest_more[@]}" </dev/null 2>"$work/stderr" &
  fi
  monitor=$!
}
guest_under=() # before the tender's command line
guest_more=()  # further arguments of the monitor
guest_machine=${guest_machine:-} # another machine of ARM64 than QEMU's default virt

# ended STATUS: waits for the guest's end and compares its status; "fault" is one, too.
ended() {
  local status=0 wanted=$1 words=
  case $platform.$wanted in
    aarch64.virtio.fault) wanted=0 ;;
    aarch64.virtio.*) words="runtime: ended with status $wanted" wanted=0 ;;
    virtio.fault) wanted=97 ;;
    virtio.*) wanted=$((33 + 2 * wanted)) ;;
    spt.fault) wanted=139 ;;
    hvt.fault) wanted=255 ;;
  esac
  wait "$monitor" || status=$?
  monitor=
  [[ $status == "$wanted" ]] || fail "it ended with $status, not $wanted: $(cat "$work/stderr")"
  [[ $(tail -n 1 "$work/console" | tr -d '\r') == *"$words" ]] || fail "it did not say: $words"
}
stop() {
  kill "${1:--TERM}" "$monitor"
  wait "$monitor" 2>/dev/null || true
  monitor=
}

# until_ok COMMAND...: within ten seconds, while the guest lives.
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
