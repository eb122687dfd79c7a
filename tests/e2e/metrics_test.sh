#!/usr/bin/env bash
# A Prometheus from Debian scrapes a real controller (TLS, a viewer's token) and a real agent with a
# guest (loopback, on the device); promtool likes what both say; every name that the alert rules and
# the Grafana dashboard ask for is there; and a release that goes back raises its alert.
LAB=fmetric LAB_PORT=18544
LAB_CONF="allow_kvm = no"
LAB_AGENT_ARGS="--metrics-listen 127.0.0.1:9105"
. "$(dirname "$0")/lib.sh"
# An agent without --metrics-listen opens no port, and one that is asked for a public one says no.
fleet 1
expect 0 'OK  dns 1 is live on 1 of 1' fleetctl push dns --to edge
on_device() { ip netns exec "$LAB-edge-1" "$@"; }
[[ $(on_device ss -Hltn | awk '{print $4}' | grep -v ':53$') == 127.0.0.1:9105 ]] ||
  die "the agent listens on $(on_device ss -Hltn)"
ok "the agent listens on the loopback address alone"
expect 0 'is viewer, good for 36[45]d' fleetctl token create prometheus --role viewer --ttl 365d -o "$LAB_DIR/prometheus.token"

# What they say is Prometheus' format.
curl -fsS --cacert "$LAB_DIR/ca.pem" -H "Authorization: Bearer $(cat "$LAB_DIR/prometheus.token")" \
  "https://localhost:$LAB_PORT/metrics" >"$LAB_DIR/controller.metrics"
on_device curl -fsS http://127.0.0.1:9105/metrics >"$LAB_DIR/agent.metrics"
for who in controller agent; do
  said=$(promtool check metrics <"$LAB_DIR/$who.metrics" 2>&1) || die "$who: $said"
  [[ -z $said ]] || die "$who: $said"
  ok "promtool finds nothing wrong with what the $who says ($(grep -c '^# TYPE' "$LAB_DIR/$who.metrics") metrics)"
done
expect 22 'error: 401' curl -fsS --cacert "$LAB_DIR/ca.pem" "https://localhost:$LAB_PORT/metrics"
expect 22 'error: 404' on_device curl -fsS http://127.0.0.1:9105/other
grep -qx 'fleet_app_up{app="dns"} 1' "$LAB_DIR/agent.metrics" || die "the agent: $(cat "$LAB_DIR/agent.metrics")"
grep -qx 'fleet_devices{link="online"} 1' "$LAB_DIR/controller.metrics" || die "the controller: $(cat "$LAB_DIR/controller.metrics")"

# The rules do what alerts_test.yml says, and load in a Prometheus.
expect 0 'SUCCESS: [0-9]+ rules found' promtool check rules "$root/deploy/prometheus/alerts.yml"
expect 0 'SUCCESS' bash -c "cd '$root/deploy/prometheus' && promtool test rules alerts_test.yml"

cat >"$LAB_DIR/controller.yml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$root/deploy/prometheus/alerts.yml]
scrape_configs:
  - job_name: unifleet-controller
    scheme: https
    tls_config: {ca_file: $LAB_DIR/ca.pem, server_name: localhost}
    authorization: {credentials_file: $LAB_DIR/prometheus.token}
    static_configs: [{targets: ['127.0.0.1:$LAB_PORT']}]
YAML
cat >"$LAB_DIR/agent.yml" <<YAML
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: unifleet-agent
    static_configs: [{targets: ['127.0.0.1:9105']}]
YAML
prometheus --config.file="$LAB_DIR/controller.yml" --storage.tsdb.path="$LAB_DIR/tsdb-controller" \
  --web.listen-address=127.0.0.1:18545 >"$LAB_DIR/prometheus.log" 2>&1 &
LAB_PIDS[prometheus]=$!
on_device prometheus --config.file="$LAB_DIR/agent.yml" --storage.tsdb.path="$LAB_DIR/tsdb-agent" \
  --web.listen-address=127.0.0.1:18546 >"$LAB_DIR/prometheus-agent.log" 2>&1 &
LAB_PIDS[prometheus-agent]=$!
# ask WHO EXPRESSION: the value of the first sample.
ask() {
  local run=() at=18545
  [[ $1 == controller ]] || { run=(on_device); at=18546; }
  "${run[@]}" curl -fsS --data-urlencode "query=$2" "http://127.0.0.1:$at/api/v1/query" |
    jq -r '.data.result[0].value[1] // ""'
}
is() { [[ $(ask "$1" "$2" 2>/dev/null) == "$3" ]]; }
lab_wait 30 is controller 'up{job="unifleet-controller"}' 1 || die "Prometheus does not reach the controller: $(tail -3 "$LAB_DIR/prometheus.log")"
lab_wait 30 is agent 'up{job="unifleet-agent"}' 1 || die "Prometheus does not reach the agent: $(tail -3 "$LAB_DIR/prometheus-agent.log")"
ok "both are scraped"
lab_wait 10 is controller 'fleet_devices{link="online"}' 1 || die "no device in Prometheus"
lab_wait 10 is agent 'fleet_app_release{app="dns"}' 1 || die "no app in Prometheus"
ok "a device and its app are in Prometheus"

# A release that never answers goes back: counted on both sides, and an alert.
lab_wait 10 is controller 'fleet_reports_total{state="reverted"}' 0 || die "a counter does not begin at 0"
cp manifest.yml manifest.good
sed -i 's/query: www.example.test A/query: nobody.example.test A/; s/deadline: [0-9]*s/deadline: 3s/' manifest.yml
! cmp -s manifest.yml manifest.good || die "the manifest is as it was"
expect 3 'reverted' fleetctl push dns --to edge
lab_wait 20 is controller 'fleet_reports_total{state="reverted"}' 1 || die "the revert is not counted: $(ask controller 'fleet_reports_total')"
lab_wait 20 is agent 'fleet_app_reports_total{app="dns",state="reverted"}' 1 || die "the agent does not count its revert"
firing() { [[ $(ask controller "ALERTS{alertname=\"$1\",alertstate=\"firing\"}") == 1 ]]; }
lab_wait 30 firing FleetReverts || die "no alert: $(curl -fsS http://127.0.0.1:18545/api/v1/alerts)"
! firing FleetKeyEnded || die "an alert for keys that are good"
ok "a revert is counted, and its alert fires"

# Every name that rules and dashboard ask for is told. A rollout of a device that is away runs on.
fleetctl enroll-token --group away -o "$LAB_DIR/away.boot" >/dev/null
mkdir "$LAB_DIR/away"
lab_client fleet-agent enroll --bootstrap "$LAB_DIR/away.boot" --state-dir "$LAB_DIR/away" --name away-1 >/dev/null
cp manifest.good manifest.yml
fleetctl push dns --to away --detach >/dev/null
lab_wait 10 is controller 'fleet_rollouts_running' 1 || die "no rollout runs"
names() {
  curl -fsS http://127.0.0.1:18545/api/v1/label/__name__/values | jq -r '.data[]'
  on_device curl -fsS http://127.0.0.1:18546/api/v1/label/__name__/values | jq -r '.data[]'
}
names | sort -u >"$LAB_DIR/names"
wanted=0
while read -r name; do
  grep -qx "$name" "$LAB_DIR/names" || die "$name is asked for and told by nobody"
  wanted=$((wanted + 1))
done < <({ cat "$root/deploy/prometheus/alerts.yml"; jq -r '.panels[].targets[].expr, .annotations.list[].expr' "$root/deploy/grafana/fleet.json"; } |
  grep -oE '\bfleet_[a-z_]+' | sort -u)
((wanted >= 20)) || die "only $wanted names were found in rules and dashboard"
ok "all $wanted names of rules and dashboard are told"

# No port unless asked for, none that others reach.
lab_stop agent-1
LAB_AGENT_ARGS="--metrics-listen 0.0.0.0:9105" lab_agent_start 1
refused() { grep -q 'metrics.not_served.*loopback' "$LAB_DIR/edge-1/agent.log"; }
lab_wait 10 refused || die "a public address was taken: $(tail -2 "$LAB_DIR/edge-1/agent.log")"
! on_device ss -Hltn | grep -q ':9105' || die "it listens all the same"
ok "an address that others reach is refused"
echo "$passed passed, 0 failed"
