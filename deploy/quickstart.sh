#!/usr/bin/env bash
# From a clone to a running fleet on this machine: installs what is missing, builds, starts a
# controller and three devices in network namespaces, and shows a push, two that take themselves
# back, and the rest of a day. Needs root on Debian 12.
#   deploy/quickstart.sh           shows it and stays up, with a dashboard; Ctrl-C ends it
#   deploy/quickstart.sh --once    shows it and cleans up
#   --no-build                     the programs in build/release are there already
set -euo pipefail
cd "$(dirname "$0")/.."

once=0 build=1
for word in "$@"; do
  case "$word" in
    --once) once=1 ;;
    --no-build) build=0 ;;
    -h|--help) sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//'; exit 0 ;;
    *) echo "error: $word: not a flag of the quickstart; see --help" >&2; exit 2 ;;
  esac
done
((EUID == 0)) || { echo "error: the quickstart makes network namespaces; run it as root" >&2; exit 1; }

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold= dim= off=; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$off"; }
# run COMMAND...: shows the command as a person would type it, and runs it.
run() { printf '%s$ %s%s\n' "$bold" "$(printf '%s ' "$@" | sed 's/ $//')" "$off"; "$@"; }
# expect STATUS COMMAND...: the same, and it must end with that status.
expect() {
  local want=$1 got=0; shift
  run "$@" || got=$?
  printf '%s$ echo $?%s\n%d\n' "$bold" "$off" "$got"
  ((got == want)) || { echo "error: $* ended with $got, expected $want" >&2; exit 1; }
}

if ((build)); then
  say "Installing what is missing"
  deploy/install-deps.sh
  say "Building (the first time takes some minutes)"
  command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache CMAKE_C_COMPILER_LAUNCHER=ccache
  cmake --preset release >/dev/null
  cmake --build --preset release --parallel "$(nproc)"
fi

LAB_BIN=$PWD/build/release/bin
images=$PWD/build/release/images
LAB_PORT=${LAB_PORT:-8443}
. deploy/lab.sh
if curl -sk -o /dev/null --max-time 2 "https://127.0.0.1:$LAB_PORT/"; then
  echo "error: 127.0.0.1:$LAB_PORT is taken; end what listens there or set LAB_PORT" >&2; exit 1
fi
trap 'status=$?; trap - EXIT INT TERM; [[ -n ${asking:-} ]] && kill $asking 2>/dev/null; lab_down; exit $status' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "Starting a controller and three devices, each in its own network namespace"
lab_up
lab_controller_init
lab_controller_start
lab_login
run fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/ca.pem"
run fleetctl keys init --second-copy "$LAB_DIR/second-copy"
run fleetctl keys delegate dns
for n in 1 2 3; do
  lab_device "$n"
  lab_launcher_start "$n"
  run fleetctl enroll-token --group edge -o "$LAB_DIR/edge-$n.boot"
  printf '%s%s$ fleet-agent enroll --bootstrap edge-%d.boot --name edge-%d%s\n' "$bold" "edge-$n" "$n" "$n" "$off"
  lab_enroll "$n" "$LAB_DIR/edge-$n.boot"
  lab_agent_start "$n"
done
all_online() { [[ $(fleetctl devices --json | grep -o '"online": *true' | wc -l) == 3 ]]; }
lab_wait 30 all_online || { tail -n 3 "$LAB_DIR"/edge-*/agent.log >&2; lab_fail "not all devices came online"; }

# Each agent ran a guest in every way that its host has. An app gets the first usable way that takes
# one of its images; the push says which.
say "What runs a unikernel here, and why"
printf '%sedge-1$ fleet-agent status%s\n' "$bold" "$off"
lab_as_agent 1 fleet-agent status --state-dir "$LAB_DIR/edge-1/state"

say "1. The first push"
mkdir "$LAB_DIR/dns"; cp -r "$images/dns/." "$LAB_DIR/dns/"
cd "$LAB_DIR/dns"
expect 0 fleetctl push dns --to edge

say "2. The network's client asks each device"
for n in 1 2 3; do
  printf '%sclient$ dig +short @192.0.2.%d www.example.test%s\n' "$bold" $((10 + n)) "$off"
  answer=$(lab_client dig +short +time=3 +tries=1 "@192.0.2.$((10 + n))" www.example.test)
  echo "$answer"
  grep -qx '192.0.2.80' <<<"$answer" || { echo "error: expected 192.0.2.80 of the manifest's zone" >&2; exit 1; }
done

say "3. Two broken releases, while the client asks on with fixed source ports"
# One asker per device and source port: a line per question, "ok" or "lost".
ask() {
  while :; do
    if dig +short +time=3 +tries=1 -b "192.0.2.1#$((5300 + $1))" "@192.0.2.$((10 + $1))" www.example.test | grep -qx 192.0.2.80
    then echo ok; else echo lost; fi
    sleep 0.02
  done >"$LAB_DIR/asked-$1"
}
asking=
for n in 1 2 3; do
  ip netns exec "$LAB_NET" bash -c "$(declare -f ask); LAB_DIR=$LAB_DIR; ask $n" &
  asking+=" $!"
done
sleep 1
echo "dns 2: a build that crashes shortly after its start"
expect 3 fleetctl push dns --to edge --image "$images/dns-crash/dns.x86_64.spt"
echo "dns 3: it runs, but listens on another port than the health check asks"
sed -i 's/^\( *args:\).*/\1 ["--port=5353"]/' manifest.yml
grep -q 'port=5353' manifest.yml || sed -i 's/^\( *\)memory:/\1args: ["--port=5353"]\n\1memory:/' manifest.yml
expect 3 fleetctl push dns --to edge
echo "dns 4: a good update"
cp "$images/dns/manifest.yml" manifest.yml
echo 'new     A   192.0.2.81' >>zones/example.test.zone
expect 0 fleetctl push dns --to edge
sleep 1
kill $asking 2>/dev/null || true
wait $asking 2>/dev/null || true
asking=
for n in 1 2 3; do
  ok=$(grep -c '^ok' "$LAB_DIR/asked-$n" || true) lost=$(grep -c '^lost' "$LAB_DIR/asked-$n" || true)
  echo "edge-$n, source port $((5300 + n)): $ok answered, $lost lost"
  ((ok > 50 && lost == 0)) || { echo "error: the client lost answers" >&2; exit 1; }
done
lab_client dig +short +time=3 @192.0.2.12 new.example.test | grep -qx 192.0.2.81 ||
  { echo "error: the new name is not answered" >&2; exit 1; }

say "4. Looking around, stopping, starting, taking away"
run fleetctl devices
run fleetctl ps
run fleetctl releases dns
run fleetctl logs dns --device edge-1
run fleetctl flights dns --last 6
expect 0 fleetctl stop dns --to edge
expect 0 fleetctl start dns --to edge
if ((!once)); then
  say "It stays up. Ctrl-C here ends it and removes everything."
  token=$(cat "$LAB_DIR/admin.token")
  cat <<TEXT
  dashboard   https://localhost:$LAB_PORT/#token=$token
              (the certificate is the fleet's own: $LAB_DIR/ca.pem)
  fleetctl    export PATH=$LAB_BIN:\$PATH FLEET_HOME=$FLEET_HOME FLEET_PASSPHRASE_FILE=$FLEET_PASSPHRASE_FILE
              cd $LAB_DIR/dns && fleetctl push dns --to edge
  client      ip netns exec $LAB_NET dig @192.0.2.11 www.example.test
TEXT
  while :; do sleep 3600 & wait $! || true; done
fi
expect 0 fleetctl delete dns --to edge
say "Done. Removing the devices."
