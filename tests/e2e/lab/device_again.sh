# The second job of lab_device_test.sh: the power went, and came back. systemd starts the device's
# services as at any boot; the controller stays away until the guest is back without it.
. /job/device_job.sh

is_gone() { ! systemctl -q is-active fleet-controller; }
wait_for "the agent's service" systemctl -q is-active fleet-agent
systemctl -q is-active fleet-launcher || die "the launcher's service did not start with the agent's"
wait_for "an answer after the power cut" answer new 192.0.2.81
is_gone || die "the controller runs"
ok "after a power cut the guest is back without the controller"
status() { fleet-agent status --json | jq -e '[.apps[] | select(.state != "REMOVED") | [.app, .live_release, .state]] == [["dns", "2", "HEALTHY"]]'; }
wait_for "the agent's word for it" status
[[ $(pgrep -c -x fleet-hvt) == 1 ]] || die "not one guest: $(pgrep -a -x fleet-hvt)"
ok "it is the release that was good, once"

systemctl start fleet-controller || die "the controller does not start"
cp /var/lib/fleet-controller/admin.token /var/lib/fleet-controller/ca.pem /root/
expect 0 . fleetctl login https://localhost:8443 --token-file /root/admin.token --ca /root/ca.pem
wait_for "edge-1 online" online
wait_for "dns 2 in the controller's view" is_live 2
ok "the controller is back, and the device finds it by its own certificate"
echo "$passed passed, 0 failed"
