#!/usr/bin/env bash
# A wire that cuts a download, a clock that is wrong, and a client that asks from many source ports
# all the while, also during a good update and a revert: no question is lost.
LAB=fwire LAB_PORT=18474
LAB_CONF="allow_kvm = no"  # no probe of KVM at each start of an agent
. "$(dirname "$0")/lib.sh"
fleet 1
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
ask_on 1
back() { lab_wait 20 online 1 || die "edge-1 is not back"; }

# A clock that is days ahead makes every timestamp an expired one.
lab_stop agent-1
LAB_AGENT_ENV="FAKETIME=+3d FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD=$(dpkg -L libfaketime | grep '/libfaketime.so.1$')"
lab_agent_start 1
back
change clock
expect 3 'timestamp.*expired.*clock' fleetctl push dns --to edge
reported edge-1 FAILED CODE_EXPIRED 'timestamp'
live edge-1 1 || die "edge-1 does not run dns 1"
LAB_AGENT_ENV=
lab_stop agent-1
lab_agent_start 1
back
change mended
expect 0 'live on 1 of 1' fleetctl push dns --to edge

# A wire that cuts each connection after 150 kB: an image of twice that comes in pieces.
cut_wire
large_image
change cut
expect 0 'live on 1 of 1' fleetctl push dns --to edge --image large
grep -q 'fetch.waits' "$LAB_DIR/edge-1/agent.log" || die "no download was cut"
fetched=$(fleetctl rollout show "$(newest_rollout)" --json | jq '.devices[0].fetched_bytes | tonumber')
size=$(stat -c %s large)
((fetched > size && fetched < size + 100000)) || die "$fetched bytes fetched for an image of $size"
ok "a download that was cut goes on where it ended: $fetched bytes fetched"
heal_wire
change whole
expect 0 'live on 1 of 1' fleetctl push dns --to edge

# A wire that trickles, slower than the least speed: the download is begun anew, the device goes on as
# before, and the next push need not wait for it.
trickle_wire
large_image
change slow
expect 5 'fetching' fleetctl push dns --to edge --image large --wait 15s
# 20 s without a byte; the trickle may complete a record of TLS meanwhile, which begins them anew.
too_slow() { grep -q 'fetch.waits.*too slow' "$LAB_DIR/edge-1/agent.log"; }
lab_wait 60 too_slow || die "a trickle counts as a download"
live edge-1 5 || die "edge-1 does not run dns 5"
heal_wire
change quick
expect 0 'live on 1 of 1' fleetctl push dns --to edge

# A release that crashes: it goes back by itself.
expect 3 'reverted' fleetctl push dns --to edge --image "$images/dns-crash/dns.x86_64.virtio"
none_lost 1
echo "$passed passed, 0 failed"
