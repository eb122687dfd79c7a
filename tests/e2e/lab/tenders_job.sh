# The machine's files for tenders.sh and appliances.sh; sourced after machine.sh.
. "$root/tests/e2e/guests/config_volume.sh"

# tenders_job BUILD TESTED TARGETS: in $work/root, with the tenders and images of that build: all of
# tenders_test.sh on the targets TESTED, our apps and one of `fleetctl build` on TARGETS.
tenders_job() {
  local from=$1 tested=$2 targets=$3 job=$work/root/job
  mkdir -p "$job/build/bin" "$job/build/images"/{dns,firewall,sensor,debug}
  cp "$from"/bin/fleet-{spt,hvt} "$job/build/bin/"
  cp -r "$from/images/tender" "$job/build/images/"
  cp "$from"/images/debug/tender.guest0.*.debug "$job/build/images/debug/"
  local crash=$from/images/dns-crash/dns.x86_64.hvt
  [[ ! -e $crash ]] || cp "$crash" "$job/crash.hvt"
  local app
  for app in dns firewall sensor; do cp "$from/images/$app/$app".*.{spt,hvt} "$job/build/images/$app/"; done
  cp "$root"/tests/e2e/tender*.sh "$lab_here/appliances.sh" "$job/"
  { echo "LAB_TESTED='$tested' LAB_TARGETS='$targets'"; cat "$lab_here/tenders.sh"; } >"$job/run"
  config_volume "$job/volume.tar" 10.77.0.3 52:54:00:12:34:56 "$root/images/dns/zones/example.test.zone"
  router_volume "$job/firewall.tar"
  sensor_volume "$job/sensor.tar"
  hello_image "$from/sdk" "$job/hello"
}

router_volume() {
  local files=$work/router
  mkdir "$files"
  cp "$root/tests/e2e/firewall/router.fw" "$files/rules"
  volume_of "$1" "$files" hostname=fw \
    net0.name=wan net0.mac=52:54:00:00:00:01 net0.address=198.51.100.1/24 \
    net1.name=lan net1.mac=52:54:00:00:00:02 net1.address=192.168.1.1/24 \
    net2.name=mgmt net2.mac=52:54:00:00:00:03 net2.address=10.79.0.3/24 -- --metrics=9100
}
sensor_volume() {
  local files=$work/sensor
  mkdir "$files"
  cat >"$files/sensor.conf" <<'CONF'
broker 10.79.0.1
metrics 9100
sensor load from simulated 10 20 every 200ms
CONF
  volume_of "$1" "$files" hostname=gateway net0.mac=52:54:00:00:00:03 net0.address=10.79.0.3/24
}

# hello_image SDK FOLDER: the C++ of images/runtime/README.md, built by fleetctl.
hello_image() {
  mkdir "$2" "$work/hello" "$work/nothing"
  awk '$0 == "```cpp" {on = 1; next} /^```/ && on {exit} on' "$root/images/runtime/README.md" \
    >"$work/hello/main.cc"
  FLEET_SDK=$1 "$build/bin/fleetctl" build "$work/hello" --arch "$LAB_CPU" --platform spt \
    --platform hvt -o "$2/"
  volume_of "$work/root/job/hello.tar" "$work/nothing" hostname=hello net0.mac=52:54:00:00:00:03 \
    net0.address=10.79.0.3/24 -- "$LAB_CPU"
}
