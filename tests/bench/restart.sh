#!/usr/bin/env bash
# How long nobody answers after a guest's death: the longest silence in the two seconds after kill -9
# of its monitor, without and with a warm spare, under fleet-spt and QEMU. A client asks every
# millisecond from one source port. The table goes to stderr, JSON to stdout.
# tests/bench/restart.sh [DEATHS]
LAB=again LAB_PORT=18452
LAB_CONF="allow_kvm = no"
. "$(dirname "$0")/../e2e/lib.sh"
deaths=${1:-11}
fleet 1 >&2

app() { lab_as_agent 1 fleet-agent status --state-dir "$LAB_DIR/edge-1/state" --json | jq -r ".apps[0].$1"; }
healthy() { [[ $(app state) == HEALTHY ]]; }
spare_ready() { [[ $(app spare.healthy) == true ]]; }
pid_of() { sed -n "s/.*instance.started instance=$1 .*pid=\([0-9]*\).*/\1/p" "$LAB_DIR/edge-1/launcher.log"; }

# gap PID: kills it and prints the milliseconds of the longest time without an answer.
gap() {
  lab_client perl -MSocket -MTime::HiRes=time -e '
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;
    bind($s, pack_sockaddr_in(5302, INADDR_ANY)) or die;
    my $to = pack_sockaddr_in(53, inet_aton("192.0.2.11"));
    my ($id, $answer) = (0, "");
    my $ask = sub {
      send($s, pack("n6", ++$id, 0x100, 1, 0, 0, 0) . "\3www\7example\4test\0\0\1\0\1", 0, $to);
      my $r = ""; vec($r, fileno($s), 1) = 1;
      return 0 unless select($r, undef, undef, 0.001) and defined recv($s, $answer, 512, 0);
      return unpack("n", $answer);
    };
    for (1 .. 3000) { last if $ask->() and $_ > 20 }   # one flow that is known
    my ($died, $longest) = (time, 0);
    my $heard = $died;
    kill 9, $ARGV[0] or die "kill: $!";
    for (;;) {
      die "no answer for 60 s" if time - $heard > 60;
      next unless $ask->();
      $longest = time - $heard if time - $heard > $longest;
      $heard = time;
      last if $heard - $died > 2;
    }
    printf "%.1f\n", $longest * 1000' "$1"
}

rows=()
# measure PLATFORM NAME RESTART...: one line of the table.
measure() {
  local platform=$1 name=$2 times=() n; shift 2
  sed "s/--rrl=1000/--rrl=0/" manifest.base >manifest.yml  # spt is what the probe ranks first
  [[ $platform == spt ]] || sed -i "s/^  memory: 16M/  monitors: [$platform]\n&/" manifest.yml
  printf '  restart: {%s, crash_loop: 1000 in 1m}\n' "$*" >>manifest.yml
  change "$platform${#rows[@]}"
  fleetctl push dns --to edge >/dev/null || die "the push of $platform, $name"
  for ((n = 0; n < deaths; n++)); do
    lab_wait 60 healthy || die "no healthy guest"
    [[ $* != *warm* ]] || lab_wait 60 spare_ready || die "no spare"
    times+=("$(gap "$(pid_of "$(app instance.id)")")")
  done
  rows+=("$(printf '%s\n' "${times[@]}" | sort -n | jq -sc --arg p "$platform" --arg n "$name" \
    '{platform: $p, spare: $n, deaths: length, median_ms: .[length / 2 | floor], least_ms: .[0], most_ms: .[-1]}')")
  jq -r '"\(.platform)  \(.spare)  median \(.median_ms) ms  \(.least_ms) to \(.most_ms)"' <<<"${rows[-1]}" >&2
}
cp manifest.yml manifest.base
for platform in spt qemu; do
  measure "$platform" "none, back-off 100ms" spare: none, backoff: 100ms, backoff_max: 100ms
  measure "$platform" "none, back-off 10ms" spare: none, backoff: 10ms, backoff_max: 10ms
  measure "$platform" "warm" spare: warm, backoff: 100ms, backoff_max: 100ms
done
printf '%s\n' "${rows[@]}" | jq -s '{rows: ., ratio: (group_by(.platform) | map({key: .[0].platform,
  value: ((.[] | select(.spare == "none, back-off 100ms").median_ms) / (.[] | select(.spare == "warm").median_ms) * 10 | round / 10)})
  | from_entries)}'
