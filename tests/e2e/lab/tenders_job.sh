# The machine's files for tenders.sh; sourced after machine.sh.
. "$root/tests/e2e/guests/config_volume.sh"

# tenders_job BUILD TESTED TARGETS: in $work/root, with the tenders and images of that build: all of
# tenders_test.sh on the targets TESTED, the DNS image on TARGETS.
tenders_job() {
  local from=$1 tested=$2 targets=$3 job=$work/root/job
  mkdir -p "$job/build/bin" "$job/build/images"/{dns,debug}
  cp "$from"/bin/fleet-{spt,hvt} "$job/build/bin/"
  cp -r "$from/images/tender" "$job/build/images/"
  cp "$from"/images/debug/tender.guest0.*.debug "$job/build/images/debug/"
  local crash=$from/images/dns-crash/dns.x86_64.hvt
  [[ ! -e $crash ]] || cp "$crash" "$job/crash.hvt"
  cp "$from"/images/dns/dns.*.{spt,hvt} "$job/build/images/dns/"
  cp "$root"/tests/e2e/tender*.sh "$job/"
  { echo "LAB_TESTED='$tested' LAB_TARGETS='$targets'"; cat "$lab_here/tenders.sh"; } >"$job/run"
  config_volume "$job/volume.tar" 10.77.0.3 52:54:00:12:34:56 "$root/images/dns/zones/example.test.zone"
}
