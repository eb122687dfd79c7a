# For the e2e tests: a lab with real programs, TLS and guests, and a few ways to expect things.
# A test sources this after setting LAB and LAB_PORT of its own, so that it can run beside others.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${FLEET_BUILD:-$root/build/release}
LAB_BIN=$build/bin
images=$build/images
. "$root/deploy/lab.sh"
passed=0
ok() { passed=$((passed + 1)); echo "ok $passed - $*"; }
die() {
  echo "not ok - $*" >&2
  for log in "$LAB_DIR"/controller.log "$LAB_DIR"/edge-*/agent.log "$LAB_DIR"/edge-*/launcher.log; do
    [[ -s $log ]] && { echo "--- $log" >&2; tail -15 "$log" >&2; }
  done
  exit 1
}
trap 'status=$?; trap - EXIT; lab_down; exit $status' EXIT
trap 'exit 130' INT TERM

# expect STATUS TEXT COMMAND...: it ends with that status and says TEXT (a pattern of grep -E).
expect() {
  local want=$1 text=$2 got=0 said; shift 2
  said=$("$@" 2>&1) || got=$?
  [[ $got == "$want" ]] || die "$* ended with $got, expected $want: $said"
  grep -qE -- "$text" <<<"$said" || die "$* did not say '$text': $said"
  ok "$* -> $want, $text"
}
# healthy DEVICE RELEASE: dns answers there, and the controller knows that release as live.
live() { [[ $(fleetctl ps --json | jq -r --arg d "$1" '[.. | objects | select(.app? == "dns" and (.device? == $d or .name? == $d)) | .live_release // .release] | first') == "$2" ]]; }
answers() { lab_client dig +short +time=1 +tries=1 "@192.0.2.$((10 + $1))" www.example.test | grep -qx 192.0.2.80; }

# fleet N: controller, operator, N devices online, a copy of the dns app in $LAB_DIR/dns.
fleet() {
  local n
  lab_up
  lab_controller_init
  lab_controller_start
  lab_login
  fleetctl login "https://localhost:$LAB_PORT" --token-file "$LAB_DIR/admin.token" --ca "$LAB_DIR/ca.pem"
  fleetctl keys init --second-copy "$LAB_DIR/second-copy"
  fleetctl keys delegate dns
  for ((n = 1; n <= $1; n++)); do
    lab_device "$n"
    lab_launcher_start "$n"
    fleetctl enroll-token --group edge -o "$LAB_DIR/edge-$n.boot"
    lab_enroll "$n" "$LAB_DIR/edge-$n.boot"
    lab_agent_start "$n"
  done
  cp -r "$images/dns" "$LAB_DIR/dns"
  cd "$LAB_DIR/dns"
  online() { [[ $(fleetctl devices --json | jq '[.devices[] | select(.online)] | length') == "$1" ]]; }
  lab_wait 30 online "$1" || die "not all devices came online"
}
