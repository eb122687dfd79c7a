# A fleet on one machine, for the quickstart and the e2e tests; sourced by them, needs root.
# Every device is a network namespace with a launcher and an agent; one more namespace is the
# network: its bridge, the controller's device listener and the client that asks. From the root
# namespace only loopback is used. lab_down removes all of it.
#
#   LAB       prefix of the namespaces, default "fleet"     LAB_BIN   folder of the programs
#   LAB_DIR   working folder (made by lab_up)               LAB_PORT  operator port on 127.0.0.1
#   LAB_CONF  more lines for the launchers' conf           LAB_AGENT_ENV  NAME=VALUE... for agents
#   LAB_CONTROLLER_ENV  the same for the controller

LAB=${LAB:-fleet}
LAB_PORT=${LAB_PORT:-8443}
LAB_NET=$LAB-net
LAB_AGENT_UID=${LAB_AGENT_UID:-64900}
LAB_CONTROLLER_UID=${LAB_CONTROLLER_UID:-64901}
declare -A LAB_PIDS=()  # what runs, by name

lab_fail() { echo "error: $*" >&2; return 1; }

# lab_wait SECONDS COMMAND...: until the command succeeds.
lab_wait() {
  local left=$(($1 * 20)); shift
  until "$@" >/dev/null 2>&1; do
    ((left-- > 0)) || return 1
    sleep 0.05
  done
}

# lab_sweep: what a killed run of the same name left behind.
lab_sweep() {
  local space pid
  for space in $(ip netns list | awk '{print $1}'); do
    [[ $space == "$LAB-"* ]] || continue
    for pid in $(ip netns pids "$space"); do kill -9 "$pid" 2>/dev/null || true; done
    ip netns del "$space" || true
  done
}

# lab_up: the network namespace with its bridge, 192.0.2.1.
lab_up() {
  local program
  for program in fleetctl fleet-controller fleet-agent fleet-launcher fleet-fetch; do
    [[ -x $LAB_BIN/$program ]] || lab_fail "$LAB_BIN/$program is missing; build first: cmake --preset release && cmake --build --preset release" || return 1
  done
  lab_sweep
  # Not below a folder that others may write: agents run as users of their own.
  LAB_DIR=${LAB_DIR:-$(mktemp -d /var/tmp/"$LAB".XXXXXX)}
  chmod 0711 "$LAB_DIR"
  # The agent's user may not be allowed to read the clone (/root is closed to others).
  install -d -m 0755 "$LAB_DIR/bin"
  install -m 0755 -t "$LAB_DIR/bin" "$LAB_BIN"/fleet*
  export PATH="$LAB_DIR/bin:$PATH" FLEET_HOME=$LAB_DIR/operator
  ip netns add "$LAB_NET"
  ip -n "$LAB_NET" link set lo up
  # An address of its own: else it takes the lowest of its ports, another one when a device joins, and
  # who talked to it before asks the old one for half a minute.
  ip -n "$LAB_NET" link add lan address 02:00:c0:00:02:01 type bridge
  ip -n "$LAB_NET" addr add 192.0.2.1/24 dev lan
  ip -n "$LAB_NET" link set lan up
}

# lab_client COMMAND...: as a client in the network.
lab_client() { ip netns exec "$LAB_NET" "$@"; }

# lab_controller_init: certificate authority, keys and the first token.
lab_controller_init() {
  install -d -m 0700 -o "$LAB_CONTROLLER_UID" -g "$LAB_CONTROLLER_UID" "$LAB_DIR/controller"
  setpriv --reuid="$LAB_CONTROLLER_UID" --regid="$LAB_CONTROLLER_UID" --clear-groups \
    fleet-controller init --data-dir "$LAB_DIR/controller" --hostname fleet.example.net \
    >"$LAB_DIR/controller-init.log" 2>&1 || { cat "$LAB_DIR/controller-init.log" >&2; return 1; }
}

# lab_controller_start: in the network's namespace; the operators' socket is inherited, so that it
# listens on this machine's loopback. The socket is opened on the first connection.
lab_controller_start() {
  systemd-socket-activate -l "127.0.0.1:$LAB_PORT" \
    ip netns exec "$LAB_NET" setpriv --reuid="$LAB_CONTROLLER_UID" \
    --regid="$LAB_CONTROLLER_UID" --clear-groups env ${LAB_CONTROLLER_ENV:-} \
    fleet-controller serve --data-dir "$LAB_DIR/controller" --device-listen 192.0.2.1:8444 \
    </dev/null >>"$LAB_DIR/controller.log" 2>&1 &
  LAB_PIDS[controller]=$!
  lab_wait 10 curl -fsk "https://127.0.0.1:$LAB_PORT/healthz" ||
    { tail -n 5 "$LAB_DIR/controller.log" >&2; lab_fail "the controller does not answer"; }
}

# lab_device N: namespace and wire of device edge-N, 192.0.2.(10+N).
lab_device() {
  local number=$1 space=$LAB-edge-$1 dir=$LAB_DIR/edge-$1
  ip netns add "$space"
  ip -n "$space" link set lo up
  ip link add "lab$number" netns "$LAB_NET" type veth peer name eth0 netns "$space"
  ip -n "$LAB_NET" link set "lab$number" master lan up
  ip -n "$space" addr add "192.0.2.$((10 + number))/24" dev eth0
  ip -n "$space" link set eth0 up
  ip -n "$space" route add default via 192.0.2.1
  install -d -m 0711 "$dir" "$dir/run"
  install -d -m 0700 -o "$LAB_AGENT_UID" -g "$LAB_AGENT_UID" "$dir/state"
  cat >"$dir/launcher.conf" <<CONF
agent_uid = $LAB_AGENT_UID
socket = $dir/run/launcher.sock
${LAB_CONF:-}
CONF
  chmod 0644 "$dir/launcher.conf"
}

# lab_as_agent N COMMAND...: in device N's namespace, as its unprivileged user.
lab_as_agent() {
  local number=$1; shift
  ip netns exec "$LAB-edge-$number" setpriv --reuid="$LAB_AGENT_UID" --regid="$LAB_AGENT_UID" \
    --clear-groups "$@"
}

lab_launcher_start() {
  local dir=$LAB_DIR/edge-$1
  ip netns exec "$LAB-edge-$1" fleet-launcher --conf "$dir/launcher.conf" \
    </dev/null >>"$dir/launcher.log" 2>&1 &
  LAB_PIDS[launcher-$1]=$!
  lab_wait 10 test -S "$dir/run/launcher.sock" ||
    { tail -n 5 "$dir/launcher.log" >&2; lab_fail "the launcher of edge-$1 does not start"; }
}

lab_enroll() {  # lab_enroll N BOOTSTRAP
  install -m 0600 -o "$LAB_AGENT_UID" "$2" "$LAB_DIR/edge-$1/bootstrap"
  lab_as_agent "$1" fleet-agent enroll --bootstrap "$LAB_DIR/edge-$1/bootstrap" \
    --state-dir "$LAB_DIR/edge-$1/state" --name "edge-$1"
}

lab_agent_start() {
  local dir=$LAB_DIR/edge-$1
  # Not through lab_as_agent: $! is to be the agent, not a shell around it.
  ip netns exec "$LAB-edge-$1" setpriv --reuid="$LAB_AGENT_UID" --regid="$LAB_AGENT_UID" \
    --clear-groups env ${LAB_AGENT_ENV:-} fleet-agent run --state-dir "$dir/state" --launcher "$dir/run/launcher.sock" \
    ${LAB_AGENT_ARGS:-} </dev/null >>"$dir/agent.log" 2>&1 &
  LAB_PIDS[agent-$1]=$!
}

# lab_stop NAME [SIGNAL]: a process that lab_* started, and waits for its end.
lab_stop() {
  local pid=${LAB_PIDS[$1]:-}
  [[ -n $pid ]] || return 0
  kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  unset "LAB_PIDS[$1]"
}

# lab_operator: log in, make keys, delegate the apps named, one device after the other joins.
lab_login() {
  echo "correct horse battery staple" >"$LAB_DIR/passphrase"
  chmod 0600 "$LAB_DIR/passphrase"
  export FLEET_PASSPHRASE_FILE=$LAB_DIR/passphrase
  cp "$LAB_DIR/controller/admin.token" "$LAB_DIR/admin.token"
  cp "$LAB_DIR/controller/ca.pem" "$LAB_DIR/ca.pem"
}

lab_down() {
  local name space
  set +e
  for name in "${!LAB_PIDS[@]}"; do [[ $name == launcher-* ]] || lab_stop "$name"; done
  for name in "${!LAB_PIDS[@]}"; do lab_stop "$name"; done
  lab_sweep
  [[ -n ${LAB_DIR:-} && -z ${LAB_KEEP:-} ]] && rm -rf "$LAB_DIR"
  set -e
}
