# The job of lab_device_test.sh: one device's life, from its first start to a release that takes
# itself back. Everything is real: services under systemd, TLS, jails, a KVM guest, a client.
. /job/device_job.sh

install -d -m 0700 -o fleet-controller -g fleet-controller /var/lib/fleet-controller
setpriv --reuid=fleet-controller --regid=fleet-controller --clear-groups \
  fleet-controller init --data-dir /var/lib/fleet-controller --hostname fleet.example.net >/tmp/init 2>&1 ||
  die "fleet-controller init: $(cat /tmp/init)"
systemctl start fleet-controller || die "the controller does not start"
ok "the controller's service is up"
echo "correct horse battery staple" >"$FLEET_PASSPHRASE_FILE"
chmod 600 "$FLEET_PASSPHRASE_FILE"
cp /var/lib/fleet-controller/admin.token /var/lib/fleet-controller/ca.pem /root/
expect 0 . fleetctl login https://localhost:8443 --token-file /root/admin.token --ca /root/ca.pem
expect 0 . fleetctl keys init --second-copy /root/second-copy
expect 0 . fleetctl keys delegate dns
expect 0 . fleetctl enroll-token --group edge -o /tmp/edge-1.boot

systemctl start fleet-launcher || die "the launcher does not start"
ok "the launcher's service is up"
install -d -m 0700 -o fleet -g fleet /var/lib/fleet-agent
install -m 0600 -o fleet /tmp/edge-1.boot /var/lib/fleet-agent/bootstrap
expect 0 . setpriv --reuid=fleet --regid=fleet --clear-groups \
  fleet-agent enroll --bootstrap /var/lib/fleet-agent/bootstrap --name edge-1
systemctl start fleet-agent || die "the agent does not start"
ok "the agent's service is up"
wait_for "edge-1 online" online
ok "edge-1 is online"

# What the probe saw: a true KVM, so hvt goes first, then spt.
seen() { fleet-agent status | grep -E '^monitor'; }
wait_for "the probe's evidence" seen
seen
order=$(seen)
[[ $order =~ 1\.\ hvt:\ ran\ a\ million.*2\.\ spt:\ ran\ a\ million ]] || die "not hvt, then spt"
expect 0 'monitor +hvt: ran a million instructions' fleetctl device show edge-1

cd /job/dns || exit 1
expect 0 'OK  dns 1 is live on 1 of 1 device' fleetctl push dns --to edge
is_live 1 >/dev/null || die "not dns 1 on hvt: $(fleetctl ps)"
wait_for "an answer" answer www 192.0.2.80
ok "a client is answered by a guest on KVM"

# The jail of a running guest, made from within a service's own confinement.
pid=$(pgrep -x fleet-hvt)
line() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$pid/status"; }
(($(line Uid) >= 2113929216)) || die "the guest's user is $(line Uid)"
for set in CapInh CapPrm CapEff CapBnd CapAmb; do
  [[ $(line "$set") == 0000000000000000 ]] || die "$set is $(line "$set")"
done
[[ $(line NoNewPrivs) == 1 && $(line Seccomp) == 2 ]] || die "no filter, or new privileges"
[[ -z $(ls -A "/proc/$pid/root/") ]] || die "its root is not empty: $(ls "/proc/$pid/root/")"
for kind in mnt pid ipc uts net cgroup; do
  [[ $(readlink "/proc/$pid/ns/$kind") != "$(readlink "/proc/1/ns/$kind")" ]] || die "no $kind namespace"
done
ok "its monitor has a user of its own, no capability, a filter, six namespaces and an empty root"
group=/sys/fs/cgroup$(cut -d: -f3 "/proc/$pid/cgroup")
[[ $group == /sys/fs/cgroup/system.slice/fleet-launcher.service/i* ]] || die "its group is $group"
grep -qx '[1-9][0-9]*' "$group/memory.max" || die "memory.max is $(cat "$group/memory.max")"
ok "limits by cgroup v2 below the launcher's service: memory.max $(cat "$group/memory.max")"

echo 'new A 192.0.2.81' >>zones/example.test.zone
expect 0 'OK  dns 2 is live on 1 of 1 device' fleetctl push dns --to edge
wait_for "the new name" answer new 192.0.2.81
ok "an update, and the client has the new name"

expect 3 'edge-1 +reverted +2 ' fleetctl push dns --to edge --image /job/crash.hvt
is_live 2 >/dev/null || die "not dns 2 runs after the revert: $(fleetctl ps)"
wait_for "an answer after the revert" answer new 192.0.2.81
ok "a release that crashes takes itself back"

# What no tender takes, where the machine has QEMU.
if [[ -x /usr/bin/qemu-system-aarch64 ]]; then
  [[ $order =~ 3\.\ qemu/kvm:\ ran\ a\ million ]] || die "not QEMU with KVM behind them"
  cp -r /job/dns /job/names
  cd /job/names || exit 1
  sed -i 's/name: dns/name: names/; s/53:53/5300:53/g; s/^  memory:/  monitors: [qemu]\n&/' manifest.yml
  expect 0 . fleetctl keys delegate names
  expect 0 'OK  names 1 is live on 1 of 1 device' fleetctl push names --to edge
  expect 0 'names +1 .*qemu' fleetctl ps
  expect 0 . fleetctl delete names --to edge
  wait_for "dns alone" is_live 2
  # Debian's kernel as it is.
  cd /job/web || exit 1
  expect 0 . fleetctl keys delegate web
  expect 0 'OK  web 1 is live on 1 of 1 device' fleetctl push web --to edge
  expect 0 'web +1 .*qemu' fleetctl ps
  page=$(ip netns exec client timeout 20 wget -qO- http://192.0.2.11:8080/)
  [[ $page == 'Hello from Linux, pushed as it is.' ]] || die "the client got '$page'"
  ok "a client is answered by a Linux guest"
  expect 0 . fleetctl delete web --to edge
  wait_for "dns alone" is_live 2
  cd /job/dns || exit 1
fi

# The services' own accidents.
old=$(pgrep -n -x fleet-hvt)  # the newest: the one before it may still drain
systemctl restart fleet-agent || die "the agent does not start again"
wait_for "edge-1 online again" online
wait_for "dns 2 after the agent's restart" is_live 2
[[ $(pgrep -n -x fleet-hvt) == "$old" ]] ||
  die "the agent's restart touched its guest: $old, then $(pgrep -n -x fleet-hvt)"
ok "the agent's restart leaves the guest alone"
# A loop that hangs: its watchdog, sooner than as shipped.
install -d /run/systemd/system/fleet-agent.service.d
printf '[Service]\nWatchdogSec=5\nTimeoutAbortSec=2\n' >/run/systemd/system/fleet-agent.service.d/soon.conf
systemctl daemon-reload
systemctl restart fleet-agent || die "the agent does not start with another watchdog"
wait_for "dns 2 before the agent hangs" is_live 2
hung=$(systemctl show -p MainPID --value fleet-agent)
kill -STOP "$hung"
replaced() { local now; now=$(systemctl show -p MainPID --value fleet-agent); [[ $now != 0 && $now != "$hung" ]]; }
wait_for "another agent after one that hung" replaced
wait_for "edge-1 online after that" online
[[ $(pgrep -n -x fleet-hvt) == "$old" ]] || die "the watchdog touched the guest"
rm -r /run/systemd/system/fleet-agent.service.d
systemctl daemon-reload
ok "an agent that hangs is started again by its watchdog, and the guest runs on"
systemctl kill -s KILL fleet-launcher || die "the launcher cannot be killed"
gone() { [[ ! -e /proc/$old ]]; }
wait_for "the guest's end with its launcher" gone
wait_for "dns 2 after the launcher's death" is_live 2
wait_for "an answer after the launcher's death" answer new 192.0.2.81
group=/sys/fs/cgroup$(cut -d: -f3 "/proc/$(pgrep -n -x fleet-hvt)/cgroup")
[[ -e $group/memory.max ]] || die "no limits after the launcher's death"
ok "a killed launcher comes back, with its limits, and so does the guest"
echo "$passed passed, 0 failed"
