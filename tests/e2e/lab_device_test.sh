#!/usr/bin/env bash
# A whole fleet of one device under systemd with the services as they are shipped, on a true KVM and
# cgroup v2: an emulated machine (lab/machine.sh) with controller, launcher, agent and operator. Then
# its power goes, and it has to be what it was without the controller. LAB_CPU=aarch64: on ARM64, with
# what deploy/cross-arm64.sh built (tests/run.sh --only arm64).
set -euo pipefail
. "$(dirname "$0")/lab/machine.sh"

bin=$build/bin
quick=$build/tests/e2e/liblab_quick_passphrase.so
tools=(install jq pgrep setpriv dmesg systemctl)
cpu=$(uname -m) seconds=400 mib=1024 disk_mib=64
if [[ $LAB_CPU == aarch64 ]]; then
  # What deploy/cross-arm64.sh built, Debian's tools, and QEMU, which runs what the tenders do not.
  . "$root/tests/e2e/guests/cloud_kernel.sh"
  lab_packages=$lab/packages
  lab_unpack_arm64 "$lab_packages" systemd jq iproute2 util-linux procps coreutils qemu-system-arm \
    libyaml-cpp0.7 libdate-tz3 libprometheus-cpp-core1.0
  bin=$root/build/arm64/bin
  quick=$work/quick_passphrase.so
  aarch64-linux-gnu-g++ -shared -fPIC "$lab_here/quick_passphrase.cc" -o "$quick" -lsodium
  tools+=(timeout ip mktemp date qemu-system-aarch64)
  "$root/tests/e2e/guests/linux-web/build.sh" "$lab/web" aarch64
  cpu=aarch64 seconds=1500 mib=2048 disk_mib=256
fi
machine=$work/root
mkdir -p "$machine"/{etc/fleet,etc/systemd/system,home,var/lib,var/tmp,usr/bin,lib/systemd/system}
mkdir -p "$machine/job/dns/zones"
lab_add "$machine" "${tools[@]}" "$bin"/fleet{ctl,-controller,-agent,-fetch,-launcher}
cp "$bin"/fleet-{spt,hvt} "$machine/bin/"
mv "$machine"/bin/fleet* "$machine/usr/bin/"
if [[ -e $machine/bin/qemu-system-aarch64 ]]; then mv "$machine"/bin/qemu-* "$machine/usr/bin/"; fi
cp "$quick" "$machine/job/quick_passphrase.so"

# As a host has it after an installation: users, programs, services, the launcher's bounds.
cat >"$machine/etc/passwd" <<'USERS'
root:x:0:0:root:/root:/bin/sh
fleet:x:990:990::/nonexistent:/bin/false
fleet-controller:x:991:991::/nonexistent:/bin/false
nobody:x:65534:65534::/nonexistent:/bin/false
USERS
sed -n 's/^\([^:]*\):x:\([0-9]*\):.*/\1:x:\2:/p' "$machine/etc/passwd" >"$machine/etc/group"
cp "$root"/deploy/systemd/*.service "$machine/lib/systemd/system/"
cp "$root/deploy/systemd/launcher.conf" "$machine/etc/fleet/"
echo '127.0.0.1 localhost fleet.example.net' >"$machine/etc/hosts"

# systemd itself, and the little of a system around it.
lab_add "$machine" "$lab_packages/lib/systemd/systemd"
mv "$machine/bin/systemd" "$machine/lib/systemd/systemd"
for unit in basic sysinit multi-user shutdown network network-online; do
  cp "/lib/systemd/system/$unit.target" "$machine/lib/systemd/system/"
done
cat >"$machine/etc/systemd/system.conf" <<'CONF'
[Manager]
DefaultStandardOutput=kmsg
DefaultTimeoutStartSec=120
CONF
cat >"$machine/etc/systemd/system/lab.service" <<UNIT
[Service]
Type=exec
PassEnvironment=LAB_SECONDS
ExecStart=/init job
StandardOutput=tty
TTYPath=/dev/$([[ $LAB_CPU == aarch64 ]] && echo ttyAMA0 || echo ttyS0)
UNIT
printf '[Unit]\nRequires=basic.target lab.service\nAfter=basic.target\n' \
  >"$machine/etc/systemd/system/default.target"

cp "$build"/images/dns/{manifest.yml,dns.*} "$machine/job/dns/"
cp "$build"/images/dns/zones/example.test.zone "$machine/job/dns/zones/"
crash=$build/images/dns-crash/dns.$cpu.hvt
[[ $LAB_CPU == x86_64 ]] || crash=$build/arm64/images/dns-crash/dns.$cpu.hvt
cp "$crash" "$machine/job/crash.hvt"
# An emulated CPU is slow: patience where a device has little.
sed -i 's/timeout: 500ms/timeout: 5s/; s/deadline: 10s/deadline: 60s/' "$machine/job/dns/manifest.yml"
if [[ -d $lab/web ]]; then  # a guest that is none of ours
  cp -r "$lab/web" "$machine/job/web"
  sed -i 's/timeout: 1s/timeout: 5s/; s/deadline: 60s/deadline: 5m/' "$machine/job/web/manifest.yml"
fi
cp "$lab_here/device_job.sh" "$machine/job/"
lab_disk "$disk_mib"
cp "$lab_here/device.sh" "$machine/job/run"
lab_run "$machine" "$seconds" "$mib"
# The same device once more, as when the power comes back, its services enabled. The controller is not.
mkdir "$machine/etc/systemd/system/default.target.wants"
ln -s /lib/systemd/system/fleet-agent.service "$machine/etc/systemd/system/default.target.wants/"
cp "$lab_here/device_again.sh" "$machine/job/run"
lab_run "$machine" "$((seconds / 2))" "$mib"
