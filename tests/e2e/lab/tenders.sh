# A job for the lab: tenders_test.sh on LAB_TESTED, then the DNS image on each of LAB_TARGETS, then the
# other apps (appliances.sh).
export FLEET_BUILD=/job/build
cpu=$(uname -m)
bash ./tenders_test.sh $LAB_TESTED || exit 1

# The DNS image: network, block device and clock by the tender's calls. KVM, image and config volume
# (for reading only) as descriptors, as fleet-launcher gives them.
tunctl -t guest0 >/dev/null
ip addr add 10.77.0.1/24 dev guest0
ip link set guest0 up
for target in $LAB_TARGETS; do
  options=()
  [[ $target != hvt ]] || options=(--kvm=@5)
  exec 5<>/dev/kvm
  build/bin/fleet-$target --mem=16 --net:service=guest0 --net-mac:service=52:54:00:12:34:56 \
    "${options[@]}" --block:config=@6 --exit-report=@3 --stats=@4 -- @7 \
    >/tmp/console 3>/tmp/report 4>/tmp/stats 6<volume.tar 7<"build/images/dns/dns.$cpu.$target" &
  monitor=$!
  answer=
  for ((i = 0; i < 30 && ${#answer} == 0; i++)); do
    answer=$(timeout 2 nslookup www.example.test 10.77.0.3 2>/dev/null | grep 192.0.2.80)
  done
  [[ -n $answer ]] || { echo "FAILED: $target: no answer by DNS"; cat /tmp/console /tmp/report; exit 1; }
  kill -TERM "$monitor"
  wait "$monitor"
  grep -q '"reason":"ordered"' /tmp/report || { echo "FAILED: $target: no report"; exit 1; }
  echo "ok: $target on $cpu: the DNS image answers"
  cat /tmp/stats
done

. ./appliances.sh

# A release that faults leaves its registers by our runtime's record.
[[ -e crash.hvt ]] || exit 0
status=0
timeout 60 build/bin/fleet-hvt --mem=16 --net:service=guest0 --net-mac:service=52:54:00:12:34:56 \
  --block:config=@6 --exit-report=@3 -- @7 \
  >/tmp/console 3>/tmp/report 6<volume.tar 7<crash.hvt || status=$?
[[ $status == 255 ]] &&
  grep -q '"trap":{"kind":"page fault","pc":"0x1.*","address":"0x0",.*"r15":' /tmp/report ||
  { echo "FAILED: hvt: a fault's registers"; cat /tmp/console /tmp/report; exit 1; }
echo "ok: hvt: a fault of our runtime is told with all registers"
