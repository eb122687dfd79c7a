#!/usr/bin/env bash
# The catalog as an installation has it: listed, copied, pushed by name; and its three apps at once on one
# device under one agent, each doing its job: names answered, frames between two bridges filtered, a sensor
# heard by Debian's mosquitto.
LAB=catalog LAB_PORT=18562
LAB_CONF="allow_kvm = no
host_bridges = br-wan br-lan"
. "$(dirname "$0")/lib.sh"
device=$LAB-edge-1
on() { ip netns exec "$@"; }

# What an operator's machine gets: fleetctl, the catalog and the SDK, and nothing to set.
fleet 1
for part in operator catalog sdk; do
  cmake --install "$build" --prefix "$LAB_DIR/usr" --component $part >"$LAB_DIR/install.log" 2>&1 || die "$(<"$LAB_DIR/install.log")"
done
rm "$LAB_DIR/bin/fleetctl"
PATH=$LAB_DIR/usr/bin:$PATH
hash -r
mkdir "$LAB_DIR/work" && cd "$LAB_DIR/work"
expect 0 '^NAME +DESCRIPTION +SIZE +IMAGES' fleetctl catalog
for app in 'dns +Names of example.test' 'firewall +A filtering bridge' 'sensor +Readings of a serial line'; do
  expect 0 "^$app.* KiB .*x86_64/\{virtio,hvt,spt\}" fleetctl catalog
done
[[ $(fleetctl catalog --json | jq -r '[.apps[] | .name + ":" + .app + ":" + (.images | length | tostring)] | join(" ")') == \
  'dns:dns:6 firewall:edge-fw:6 sensor:sensor:6' ]] || die "not the three: $(fleetctl catalog --json)"
ok "the installed fleetctl finds the three and what their images are, by itself"

# Without a manifest: how to get one.
expect 1 'there is no manifest.yml; the catalog has dns' fleetctl push dns --to edge
expect 1 'fleetctl catalog copy dns' fleetctl push dns --to edge
expect 1 'no app sensr; nearest: sensor' fleetctl catalog copy sensr
expect 1 'is not in .*/nowhere' fleetctl catalog --catalog "$LAB_DIR/nowhere"
mkdir dns && cd dns
expect 0 'wrote ./manifest.yml' fleetctl catalog copy dns
[[ $(find . -type f | sort | tr '\n' ' ') == './manifest.yml ./zones/example.test.zone ' ]] || die "copied: $(find . -type f)"
cmp zones/example.test.zone "$images/dns/zones/example.test.zone" || die "another zone was copied"
expect 0 'dns +6 images, 1 file: right' fleetctl manifest check manifest.yml
expect 1 'is there already; nothing was written' fleetctl catalog copy dns
expect 0 '' sed -i /catalog:dns/d manifest.yml
expect 0 'dns +6 images, 1 file: right' fleetctl manifest check manifest.yml  # by its name
mkdir other && sed 's/name: dns/name: dnss/' manifest.yml >other/manifest.yml && cp -r zones other/
expect 1 'other/manifest.yml:4: name: the app has no image; write image, images or path' fleetctl push -f other/manifest.yml --to edge
expect 1 'nearest: dns' fleetctl push -f other/manifest.yml --to edge
sed -i 's|name: dnss|name: dns\n  images: {aarch64/bare: catalog:dns}|' other/manifest.yml
expect 1 'the catalog.s dns has no such image; it has x86_64/\{virtio,hvt,spt\}' fleetctl push -f other/manifest.yml --to edge
sed -i 's|aarch64/bare|x86_64/spt|' other/manifest.yml
expect 0 'dns +1 image, 1 file: right' fleetctl manifest check other/manifest.yml

# Two bridges of the device, an inside and an outside on them.
for side in wan lan; do
  ip -n "$device" link add "br-$side" type bridge
  ip -n "$device" link set "br-$side" up
  ip netns add "$LAB-$side"
  ip -n "$LAB-$side" link set lo up
  ip link add "to-$side" netns "$device" type veth peer name eth0 netns "$LAB-$side"
  ip -n "$device" link set "to-$side" master "br-$side" up
  ip -n "$LAB-$side" link set eth0 up
done
ip -n "$LAB-lan" addr add 10.5.0.1/24 dev eth0
ip -n "$LAB-wan" addr add 10.5.0.2/24 dev eth0
on "$LAB-wan" python3 -m http.server 8000 --bind 10.5.0.2 >/dev/null 2>&1 & LAB_PIDS[outside]=$!
on "$LAB-lan" python3 -m http.server 8000 --bind 10.5.0.1 >/dev/null 2>&1 & LAB_PIDS[inside]=$!
plant_broker

# All three, with the manifests of the catalog as far as this network lets them.
fleetctl keys delegate edge-fw >/dev/null
fleetctl keys delegate sensor >/dev/null
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
cd ..
expect 0 'fleetctl push edge-fw' fleetctl catalog copy firewall fw
cat >fw/rules.fw <<'RULES'
chain forward {
  ct state established,related accept
  ether type arp accept
  iif "lan" ct state new accept
}
RULES
on "$LAB-lan" ping -q -c 1 -W 1 10.5.0.2 >/dev/null && die "the bridges are joined without a firewall"
(cd fw && expect 0 'OK  edge-fw 1 is live on 1 of 1' fleetctl push edge-fw --to edge)
expect 0 'fleetctl push sensor' fleetctl catalog copy sensor sensor
cat >sensor/sensor.conf <<'CONF'
broker 192.0.2.1
topic plant/lyon
metrics 9100
sensor load from simulated 10 20 every 200ms
CONF
sed -i 's/192.0.2.10:1883/192.0.2.1:1883/' sensor/manifest.yml
(cd sensor && expect 0 'OK  sensor 1 is live on 1 of 1' fleetctl push sensor --to edge)

three_healthy() { [[ $(fleetctl ps --json | jq -r '[.instances[] | select(.healthy) | .app] | sort | join(" ")') == 'dns edge-fw sensor' ]]; }
lab_wait 20 three_healthy || die "not all three are healthy: $(fleetctl ps)"
ok "dns, firewall and sensor run at once on edge-1"
jobs() {
  answers 1 || die "the names are not answered"
  ok "the name server answers"
  on "$LAB-lan" curl -fs --max-time 5 -o /dev/null http://10.5.0.2:8000/ || die "nothing goes out through the firewall"
  ! on "$LAB-wan" curl -fs --max-time 1 -o /dev/null http://10.5.0.1:8000/ || die "the firewall lets in what its rules drop"
  ok "the firewall lets out, and lets nothing in"
  local before
  before=$(grep -c '^plant/lyon/load ' "$LAB_DIR/got" || true)
  heard() { (($(grep -c '^plant/lyon/load .*"simulated":true' "$LAB_DIR/got") >= before + 5)); }
  lab_wait 20 heard || die "mosquitto hears nothing of the sensor: $(tail -n 3 "$LAB_DIR/got")"
  ok "mosquitto hears the sensor"
}
jobs

# They outlive the agent, and one that is updated leaves the others alone.
instances() { fleetctl ps --json | jq -r '[.instances[] | .app + "=" + .instance] | sort | join(" ")'; }
before=$(instances)
lab_stop agent-1 KILL
lab_agent_start 1
lab_wait 20 three_healthy || die "after a kill of the agent: $(fleetctl ps)"
[[ $(instances) == "$before" ]] || die "the agent's end changed the guests: $before, now $(instances)"
cd dns
change second
expect 0 'OK  dns 2 is live on 1 of 1' fleetctl push dns --to edge
[[ $(instances | tr ' ' '\n' | grep -v ^dns=) == "$(tr ' ' '\n' <<<"$before" | grep -v ^dns=)" ]] || die "an update of dns changed the others"
lab_wait 20 three_healthy || die "after the update: $(fleetctl ps)"
ok "a killed agent and an update of one leave the other guests as they are"
jobs
echo "$passed passed, 0 failed"
