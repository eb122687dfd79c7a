#!/usr/bin/env bash
# The chain of images/sensor/chain.yml on one device: a sensor on a bridge whose only way out is the
# firewall, mosquitto behind it. Readings come, and nothing else; without the firewall none do.
LAB=chain LAB_PORT=18491
LAB_CONF=$'allow_kvm = no\nhost_bridges = br-wan br-lan'
. "$(dirname "$0")/lib.sh"
fleet 1
space=$LAB-edge-1
for app in edge-fw sensor; do fleetctl keys delegate "$app" >/dev/null; done
mkdir "$LAB_DIR/images"
cp -r "$images/firewall" "$images/sensor" "$LAB_DIR/images"
cd "$LAB_DIR/images/sensor"
sed -i 's/192\.0\.2\.10}/192.0.2.1}/' chain.yml

for side in wan lan; do
  ip -n "$space" link add "br-$side" type bridge mcast_snooping 0
  ip -n "$space" link set "br-$side" up
done
ip link add wan0 netns "$LAB_NET" type veth peer name wan0 netns "$space"
ip -n "$LAB_NET" link set wan0 master lan up
ip -n "$space" link set wan0 master br-wan up

plant_broker
readings() { grep -c '^plant/chain/boiler ' "$LAB_DIR/got" || true; }
more() { (($(readings) > had)); }

expect 3 'no answer: console "sensor: connected to"' fleetctl push sensor -f chain.yml --to edge
(($(readings) == 0)) || die "a reading came without the firewall"
ok "without the firewall the sensor reaches nobody and is taken back"
expect 0 'live on 1 of 1' fleetctl push edge-fw -f chain.yml --to edge
sed -i 's/every 1s/every 500ms/' chain.yml
expect 0 'live on 1 of 1' fleetctl push sensor -f chain.yml --to edge
had=0
lab_wait 20 more || die "no reading comes: $(fleetctl logs sensor | tail -n 3)"
ok "readings come through the firewall"

# The firewall is updated under the sensor, which has one connection for all of them.
connections() { grep -c 'New client connected from 192.0.2.60' "$LAB_DIR/broker.log" || true; }
before=$(connections)
sed -i 's/prefix "chain"/prefix "next"/' chain.yml
expect 0 'live on 1 of 1' fleetctl push edge-fw -f chain.yml --to edge
had=$(readings)
lab_wait 20 more || die "no reading comes after the update of the firewall"
(($(connections) == before)) || die "the sensor had to connect again"
ok "an update of the firewall breaks no connection of the sensor"

# Only to its broker: another port of the same host is not let through.
sed -i 's/tcp dport 1883/tcp dport 1884/' chain.yml
expect 0 'live on 1 of 1' fleetctl push edge-fw -f chain.yml --to edge
sleep 2  # what is established goes on; a new connection does not come
lab_stop broker
lab_client mosquitto -p 1883 -c /dev/stdin >"$LAB_DIR/broker.log" 2>&1 <<CONF &
listener 1883 192.0.2.1
allow_anonymous true
CONF
LAB_PIDS[broker]=$!
sleep 3
(($(connections) == 0)) || die "the rules let a new connection through"
ok "the sensor reaches what the rules name, and nothing else"
echo "$passed passed, 0 failed"
