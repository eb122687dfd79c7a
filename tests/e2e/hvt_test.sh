#!/usr/bin/env bash
# fleet-hvt where KVM is true: in an emulated machine whose processor has SVM (lab/build.sh).
# Needs QEMU, busybox-static, cpio and Debian's packages.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${FLEET_BUILD:-build/release}
build=$(cd "$build" && pwd)
lab=$build/lab
"$here/lab/build.sh" "$lab"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/job/build/bin" "$work/job/build/images"
cp "$build/bin/fleet-hvt" "$work/job/build/bin/"
cp -r "$build/images/tender" "$work/job/build/images/"
mkdir "$work/job/build/images/debug"
cp "$build/images/debug/tender.guest0.x86_64.hvt.debug" "$work/job/build/images/debug/"
cp "$here"/{tenders_test,tender_images,tender_devices}.sh "$work/job/"
cp "$build/images/dns/dns.x86_64.hvt" "$work/job/"
cp "$build/images/dns-crash/dns.x86_64.hvt" "$work/job/crash.x86_64.hvt"
mkdir -p "$work/volume/files/zones"
cp "$build/images/dns/zones/example.test.zone" "$work/volume/files/zones/"
(cd "$work/volume" && : >args && : >env &&
  { printf 'version=1\nhostname=dns\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')"
    printf 'net0.mac=52:54:00:12:34:56\nnet0.address=10.77.0.3/24\nnet0.gateway=10.77.0.1\n'
  } >config && tar --format=ustar -cf "$work/job/volume.tar" config args env files/zones/*)
cat >"$work/job/run" <<'JOB'
export FLEET_BUILD=/job/build
timeout 240 bash ./tenders_test.sh hvt || exit 1

# The DNS image: network, block device and clock by hypercalls. KVM, image and config volume (for
# reading only) as descriptors, as fleet-launcher gives them.
ip tuntap add guest0 mode tap
ip addr add 10.77.0.1/24 dev guest0
ip link set guest0 up
build/bin/fleet-hvt --mem=16 --net:service=guest0 --net-mac:service=52:54:00:12:34:56 \
  --kvm=@5 --block:config=@6 --exit-report=@3 --stats=@4 -- @7 \
  >/tmp/console 3>/tmp/report 4>/tmp/stats 5<>/dev/kvm 6<volume.tar 7<dns.x86_64.hvt &
monitor=$!
answer=
for ((i = 0; i < 30 && ${#answer} == 0; i++)); do
  answer=$(timeout 2 nslookup www.example.test 10.77.0.3 2>/dev/null | grep 192.0.2.80)
done
[[ -n $answer ]] || { echo "FAILED: hvt: no answer by DNS"; cat /tmp/console; exit 1; }
kill -TERM "$monitor"
wait "$monitor"
grep -q '"reason":"ordered"' /tmp/report || { echo "FAILED: hvt: no report"; exit 1; }
echo "ok: hvt: the DNS image answers"
cat /tmp/stats

# A release that faults leaves its registers by our runtime's record.
status=0
timeout 60 build/bin/fleet-hvt --mem=16 --net:service=guest0 --net-mac:service=52:54:00:12:34:56 \
  --block:config=@6 --exit-report=@3 -- @7 \
  >/tmp/console 3>/tmp/report 6<volume.tar 7<crash.x86_64.hvt || status=$?
[[ $status == 255 ]] &&
  grep -q '"trap":{"kind":"page fault","pc":"0x1.*","address":"0x0",.*"r15":' /tmp/report ||
  { echo "FAILED: hvt: a fault's registers"; cat /tmp/console /tmp/report; exit 1; }
echo "ok: hvt: a fault of our runtime is told with all registers"
JOB
(cd "$work" && find job | cpio -o -H newc --quiet | gzip -1n >"$work/job.cpio.gz")
cat "$lab/lab.cpio.gz" "$work/job.cpio.gz" >"$work/all.cpio.gz"

# One processor and one thread: with several, the emulated machine stands still now and then.
timeout -k 5 280 qemu-system-x86_64 -accel tcg,thread=single -cpu max,+svm,+npt -smp 1 -m 1024 \
  -nodefaults -no-user-config -display none -serial stdio -no-reboot \
  -kernel "$lab/vmlinuz" -initrd "$work/all.cpio.gz" \
  -append "console=ttyS0 quiet panic=-1" </dev/null >"$work/log" 2>&1 || true
tr -d '\r' <"$work/log" | grep -E '^(ok:|FAILED|  |lab:|\{|[0-9]+ passed)' || cat "$work/log"
tr -d '\r' <"$work/log" | grep -qx 'lab: status 0'
