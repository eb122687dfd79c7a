# A real controller alone on loopback, for tests of fleetctl; sourced by them, after they set port and
# device_port of their own. No guest runs, no namespace is made, no root is needed.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${FLEET_BUILD:-$root/build/release}
PATH=$build/bin:$PATH
work=$(mktemp -d)
export FLEET_HOME=$work/operator FLEET_PASSPHRASE_FILE=$work/passphrase
unset FLEET_CONTEXT
passed=0
controller=
die() { echo "not ok - $*" >&2; tail -n 20 "$work/controller.log" >&2 || true; exit 1; }
stop_controller() {
  [[ -n $controller ]] || return 0
  kill "$controller" 2>/dev/null || true
  wait "$controller" 2>/dev/null || true
  controller=
}
trap 'status=$?; trap - EXIT; stop_controller; rm -rf "$work"; exit $status' EXIT
trap 'exit 130' INT TERM
ok() { passed=$((passed + 1)); echo "ok $passed - $*"; }
expect() {  # expect STATUS PATTERN COMMAND...
  local want=$1 text=$2 got=0; shift 2
  said=$("$@" 2>&1 </dev/null) || got=$?
  [[ $got == "$want" ]] || die "$* ended with $got, expected $want: $said"
  grep -qE -- "$text" <<<"$said" || die "$* did not say '$text': $said"
  ok "$* -> $want, $text"
}
# as_of: a faketime before it, for a test that sets the clock.
serve() {
  ${as_of:-} fleet-controller serve --data-dir "$work/controller" --operator-listen "127.0.0.1:$port" \
    --device-listen "127.0.0.1:$device_port" >>"$work/controller.log" 2>&1 &
  controller=$!
  for _ in {1..600}; do
    curl -fsk "https://127.0.0.1:$port/healthz" >/dev/null 2>&1 && return 0
    kill -0 "$controller" 2>/dev/null || die "the controller ended"
    sleep 0.05
  done
  die "the controller does not answer"
}
# dns_app: in a new folder $work/app, a manifest and the image that it names.
dns_app() {
  mkdir "$work/app" && cd "$work/app"
  cat >manifest.yml <<'YAML'
version: 1
applications:
- name: dns
  images: {x86_64/virtio: dns.x86_64.virtio}
  memory: 16M
  args: ["--rrl=20"]
  publish: ["53:53/udp"]
  health: {type: dns, query: www.example.test A, deadline: 10s}
YAML
  cp "$build/images/dns/dns.x86_64.virtio" .
}
