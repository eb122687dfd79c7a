#!/usr/bin/env bash
# The sensor the whole way of a push: a real guest on spt, then one on QEMU, reads a serial line of its
# device (a pseudo-terminal) and tells Debian's mosquitto; a line that launcher.conf does not lend, a
# line that goes away and comes back, an update while it measures.
LAB=sensor LAB_PORT=18541
line=/dev/fleet-sensor-$$
LAB_CONF="allow_kvm = no
serial_lines = $line:9600"
. "$(dirname "$0")/lib.sh"
socat_pid=""
finish() {
  local status=$?
  trap - EXIT
  [[ -z $socat_pid ]] || kill "$socat_pid" 2>/dev/null || true
  lab_stop broker
  lab_stop watcher
  lab_down
  exit $status
}
trap finish EXIT

# The instrument: what is written to its end, the line says.
plug() {
  socat "pty,raw,echo=0,link=$line" "pty,raw,echo=0,link=$LAB_DIR/instrument" &
  socat_pid=$!
  lab_wait 5 test -e "$LAB_DIR/instrument" || die "no pseudo-terminals"
}
unplug() {
  kill "$socat_pid"
  wait "$socat_pid" 2>/dev/null || true
  socat_pid=""
}
say() { printf '%s\n' "$1" >"$LAB_DIR/instrument"; }
got() { grep -q "$1" "$LAB_DIR/got"; }
# says_and_gets LINE PATTERN: said until a message shows it; the guest may not read yet.
says_and_gets() {
  local tries
  for ((tries = 0; tries < 100; tries++)); do
    say "$1"
    sleep 0.2
    ! got "$2" || return 0
  done
  return 1
}

fleet 1
fleetctl keys delegate sensor
plug
plant_broker

mkdir "$LAB_DIR/sensor"
cd "$LAB_DIR/sensor"
cp "$images"/sensor/sensor.x86_64.{spt,virtio} .
# manifest PATH EVERY [PLATFORM]: the line, and how often it tells.
manifest() {
  cat >sensor.conf <<CONF
broker 192.0.2.1
topic plant/lyon
sensor boiler from serial as t every $2
CONF
  cat >manifest.yml <<YAML
version: 1
applications:
- name: sensor
  images: {x86_64/${3:-spt}: sensor.x86_64.${3:-spt}}
  memory: 8M
  files: {/sensor.conf: {from: sensor.conf}}
  devices: [{name: serial, host: $1, as: console}]
  network: [{name: service, bridge: fleet0, address: auto, egress: [192.0.2.1:1883/tcp]}]
  health: {type: console, line: "sensor: connected to", start_interval: 100ms, deadline: 30s}
YAML
}

manifest /dev/ttyS77 200ms
expect 3 'this device does not lend /dev/ttyS77; add it to serial_lines' fleetctl push sensor --to edge
manifest /etc/passwd 200ms
expect 1 'devices.0..host.*is a path below /dev' fleetctl push sensor --to edge
manifest "$line" 200ms
expect 0 'OK  sensor [0-9]* is live on 1 of 1' fleetctl push sensor --to edge
says_and_gets 't=81.25 h=1' '^plant/lyon/boiler .*"mean":81.25,' || die "the line's reading never came: $(tail -n 3 "$LAB_DIR/got")"
! got '"simulated":true' || die "a real line is called simulated"
ok "what the serial line says is published"

unplug
lab_wait 10 grep -q 'serial.lost' "$LAB_DIR/edge-1/launcher.log" || die "the lost line is not told"
plug
lab_wait 10 grep -q 'serial.back' "$LAB_DIR/edge-1/launcher.log" || die "the line did not come back"
says_and_gets 't=64.5' '^plant/lyon/boiler .*"mean":64.5,' || die "nothing from the line that came back"
ok "a line that was pulled out is read again when it is back, by the same guest"

manifest "$line" 100ms
expect 0 'stop-start' fleetctl push sensor --to edge
says_and_gets 't=-7.125' '^plant/lyon/boiler .*"mean":-7.125,' || die "nothing after the update"
ok "an update takes the line over"

manifest "$line" 100ms virtio
expect 0 'stop-start' fleetctl push sensor --to edge
says_and_gets 't=12.5' '^plant/lyon/boiler .*"mean":12.5,' || die "nothing from the guest on QEMU"
ok "a guest on QEMU reads the line too"

manifest none 100ms
expect 0 'OK  sensor [0-9]* is live on 1 of 1' fleetctl push sensor --to edge
ok "with nothing attached it runs and is silent"
echo "$passed passed, 0 failed"
