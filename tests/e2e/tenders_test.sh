#!/usr/bin/env bash
# fleet-spt and fleet-hvt with guests that do all that they should not: each must end as it should,
# say why, and leave nothing behind. tenders_test.sh [spt|hvt]...
# Without words: spt, and hvt where /dev/kvm runs a guest, though it may only emulate. hvt_test.sh
# runs this inside a machine that has a true KVM. Plain bash, so that it runs there too.
set -uo pipefail

build=${FLEET_BUILD:?FLEET_BUILD is the build folder}
cpu=$(uname -m)
# The tap of the guests with devices lives and ends with a network namespace of our own.
[[ -n ${FLEET_OWN_NET:-} ]] || FLEET_OWN_NET=1 exec unshare -n bash "$0" "$@"
work=$(mktemp -d)
passed=0
target=
monitor=
neighbour=
trap 'kill -9 $monitor $neighbour 2>/dev/null; rm -rf "$work"' EXIT
# The other is busybox's, where there is no other ip.
{ ip tuntap add dev guest9 mode tap 2>/dev/null || tunctl -t guest9 >/dev/null; } &&
  ip link set guest9 up

fail() {
  echo "FAILED: $target: $*" >&2
  for file in out err report; do
    [[ ! -s $work/$file ]] || { echo "  $file: $(head -c 600 "$work/$file")" >&2; }
  done
  exit 1
}
ok() { echo "ok: $target: $*"; passed=$((passed + 1)); }

tender() { "$build/bin/fleet-$target" "$@"; }
guest() { echo "$build/images/tender/guest$1.$cpu.$target"; }

# run WORDS: the guest without devices does this; status, out, err and report are kept.
run() {
  status=0
  tender --mem=4 --exit-report=@3 "$(guest 0)" "$@" >"$work/out" 2>"$work/err" 3>"$work/report" ||
    status=$?
}
# expect STATUS REASON WORDS
expect() {
  local want_status=$1 want_reason=$2
  shift 2
  run "$@"
  [[ $status == "$want_status" ]] || fail "$*: status $status, not $want_status"
  grep -q "\"reason\":\"$want_reason\"" "$work/report" || fail "$*: the reason is not $want_reason"
}
says() { grep -qF -- "$1" "$work/$2" || fail "$2 does not say: $1"; }
# register NAME: the report's trap has it, with a value.
register() { grep -q "\"$1\":\"0x[0-9a-f]" "$work/report" || fail "the report shows no $1"; }
if [[ $cpu == x86_64 ]]; then pc=rip; else pc=pc; fi

# refused TEXT WORDS: the tender itself says no.
refused() {
  local text=$1
  shift
  status=0
  tender "$@" >"$work/out" 2>"$work/err" || status=$?
  [[ $status == 1 ]] || fail "$*: status $status, not 1"
  says "$text" err
}

# start WORDS: in the background, as $monitor.
start() {
  # No function: $! must be the tender, not a shell around it.
  "$build/bin/fleet-$target" --mem=4 "${options[@]}" "$(guest 0)" "$@" \
    >"$work/out" 2>"$work/err" 3>"$work/report" &
  monitor=$!
}
# ended STATUS: the one in the background.
ended() {
  status=0
  wait "$monitor" || status=$?
  monitor=
  [[ $status == "$1" ]] || fail "it ended with $status, not $1"
}

ends_tell() {
  expect 0 guest_exit hello
  says SUCCESS out
  for code in 0 1 7 254; do expect "$code" guest_exit exit "$code"; done
  expect 255 guest_abort exit 255
  expect 0 guest_exit say "two  words" "--x"
  says "two  words --x" out
  ok "the guest's status, console and command line arrive"
}

refusals() {
  local file=$work/refused
  head -c 100000 /dev/zero >"$file"
  refused "not an ELF file" "$file"
  refused "too short" /dev/null
  refused "No such file or directory" "$work/nothing"
  local other=hvt
  [[ $target == spt ]] || other=spt
  refused "built for Solo5's target $other, this is a tender for $target" \
    "$build/images/tender/guest0.$cpu.$other"
  refused "declares the net device 'service', which is not attached" "$(guest 2)"
  refused "declares no net device 'extra' in its manifest" --net:extra=tap9 "$(guest 0)"
  refused "declares no block device 'disk'" --block:disk="$file" "$(guest 0)"
  refused "no image is named" --mem=4
  refused "Block size must be a multiple of 2 greater than or equal 512" \
    --block-sector-size:disk=100 "$(guest 2)"
  refused "usage:" --help
  status=0
  tender --version 2>"$work/err" || status=$?
  [[ $status == 0 ]] || fail "--version: status $status"
  # One byte after the other broken: whatever such a guest does, the tender lives to say so.
  for offset in 4 5 16 18 24 32 54 56 $(seq 64 3 455); do
    cp "$(guest 0)" "$file"
    printf '\xff' | dd of="$file" bs=1 seek="$offset" conv=notrunc 2>/dev/null
    timeout -s TERM 5 "$build/bin/fleet-$target" --mem=4 --exit-report=@3 "$file" hello \
      >"$work/out" 2>"$work/err" 3>"$work/report" || true
    grep -q '^{.*"reason":.*}$' "$work/report" || fail "byte $offset broken: no report"
  done
  ok "what cannot be started is refused by name"
}

memory_spt() {
  for place in null low boot text constant beyond far data heap stack; do
    expect 139 guest_abort touch "$place"
    says '"signal":11' report
    says '"trap":{"kind":"page fault","pc":"0x' report
    register "$pc"
  done
  run touch null
  says '"address":"0x0"' report
  run touch far
  says '"address":"0x700000000000"' report
  ok "memory that is not the guest's, its text and constants, and running data end it"
}

calls_spt() {
  # Every number, with arguments that no device has. 0 as a first argument is a clock's name.
  local allowed=0
  local clock=228 leave=231
  [[ $cpu == x86_64 ]] || { clock=113; leave=94; }
  for ((number = 0; number < 470; number++)); do
    run call "$number"
    if ((status == 159)); then
      grep -q '"reason":"guest_abort"' "$work/report" || fail "call $number: the reason is wrong"
      says "the guest made the system call $number, which it must not make" report
    elif [[ $cpu == x86_64 ]] && ((number == 335 || number == 336)); then
      # uretprobe and uprobe: newer kernels answer them before any filter, with SIGILL or an error.
      ((status == 132 || status == 0)) || fail "call $number: status $status"
    else
      ((number == clock || number == leave)) || fail "call $number: status $status"
      allowed=$((allowed + 1))
    fi
  done
  ((allowed == 2)) || fail "$allowed of the 2 harmless calls were allowed"
  for words in "1 2" "1 0" "0 1" "$clock 2" "$clock 4294967296" "158 4097" "1073742055 0"; do
    expect 159 guest_abort call $words
  done
  ok "every system call but its own ends it"
}

# Stopped and told to go on, by signals, with and without a process that looks.
stop_and_go_spt() {
  local child
  options=(--exit-report=@3)
  start spin
  guest_process
  kill -STOP "$child"
  in_state "$child" '[Tt]'
  kill -CONT "$child"
  in_state "$child" R
  kill -STOP "$child"
  in_state "$child" '[Tt]'
  kill -TERM "$monitor"
  ended 137
  says '"reason":"ordered"' report
  start spin
  guest_process
  kill -TERM "$child"  # not an order to us: whoever sends this ended it
  ended 143
  says '"signal":15' report
  ok "a guest is stopped, goes on, and ends on an order while it is stopped"
}
# Until the one in the background has closed its jail, which is the last thing before the guest.
guest_runs() {
  if [[ $target == spt ]]; then
    guest_process
    return
  fi
  for ((i = 0; i < 500; i++)); do
    grep -q '^Seccomp:.*2' "/proc/$monitor/status" && return
    sleep 0.02
  done
  fail "no guest runs"
}
# The guest below $monitor, as $child.
guest_process() {
  child=
  for ((i = 0; i < 500; i++)); do
    read -r child _ 2>/dev/null <"/proc/$monitor/task/$monitor/children" || true
    [[ -n $child ]] && grep -q '^Seccomp:.*2' "/proc/$child/status" 2>/dev/null && return
    sleep 0.02
  done
  fail "no guest below the reporter"
}
# in_state PROCESS STATE
in_state() {
  for ((i = 0; i < 500; i++)); do
    grep -q "^State:[[:space:]]*$2" "/proc/$1/status" && return
    sleep 0.02
  done
  fail "process $1 is not in the state $2: $(grep State "/proc/$1/status")"
}

nothing_of_the_tender_is_left() {
  options=()
  start sleep
  for ((i = 0; i < 200; i++)); do
    [[ $(wc -l <"/proc/$monitor/maps") -gt 0 ]] && grep -q '^00010000-' "/proc/$monitor/maps" &&
      [[ $(cat "/proc/$monitor/wchan" 2>/dev/null) == *poll* || $i -gt 50 ]] && break
    sleep 0.02
  done
  local foreign
  foreign=$(awk '{ split($1, ends, "-"); if (length(ends[1]) > 8) print }' "/proc/$monitor/maps" |
    grep -v vsyscall)
  [[ $(wc -l <<<"$foreign") == 1 && $foreign == *r-xp* ]] ||
    fail "more than one page of code is left of the tender: $foreign"
  grep -q '^Seccomp:.*2' "/proc/$monitor/status" || fail "no filter is loaded"
  grep -q '^NoNewPrivs:.*1' "/proc/$monitor/status" || fail "new privileges are possible"
  local descriptors
  descriptors=$(ls "/proc/$monitor/fd" | wc -l)
  ((descriptors <= 6)) || fail "$descriptors descriptors are open"
  local private
  private=$(awk '/^Private/ { sum += $2 } END { print sum }' "/proc/$monitor/smaps")
  ((private <= 128)) || fail "$private KiB are private"
  kill "$monitor"
  ended 143
  ok "in the guest's process nothing is left of the tender but a page of code ($private KiB private)"
}

memory_hvt() {
  for place in null low boot beyond far; do
    expect 1 guest_abort touch "$place"
    says "fault" err
    grep -qE '"trap":\{"kind":"(triple|translation) fault"' "$work/report" || fail "$place: no trap"
  done
  for place in text constant; do
    expect 1 guest_abort touch "$place"
    says "host/guest translation fault" err
    says '"trap":{"kind":"translation fault","pc":"0x' report
    register "$pc"
  done
  ok "memory that is not the guest's, its text and constants end it"
}

calls_hvt() {
  for number in 0 9 10 63 255; do
    expect 1 guest_abort call "$number" 1048576
    says "hypercall $number: there is no such call" err
    says '"trap":{"kind":"bad hypercall","pc":"0x10' report
  done
  if [[ $cpu == x86_64 ]]; then
    for number in 96 1280 1281; do
      expect 1 guest_abort port "$number"
      says "the guest used the I/O port" err
    done
    expect 255 guest_abort record
    says '"trap":{"kind":"trap","pc":"0x100abc","registers":{"rip":"0x100abc","rsp":"0x200000"' report
    says '"cr2":"0xdead000"' report
  fi
  for number in 1 2 3 4 5 6 7 8; do
    for place in 0 4096 tables end last 4294967295; do
      expect 1 guest_abort call "$number" "$place"
      says "hypercall $number: an address outside" err
    done
  done
  for number in 1 3 4 5 6 7; do
    for place in text boot; do
      expect 1 guest_abort call "$number" "$place"
    done
  done
  for number in 2 4 5 6 7; do
    for words in "0 1" "tables 8" "end 1" "last 2" "most 1" "most most" "8 most" "1048576 most" \
      "1048576 end"; do
      expect 1 guest_abort data "$number" $words
    done
  done
  for place in last end most tables; do expect 1 guest_abort data 8 "$place"; done
  for number in 5 7; do expect 1 guest_abort data "$number" text 512; done
  ok "every hypercall with every bad address and length ends it"
}

orders() {
  local child
  options=(--exit-report=@3)
  for word in spin sleep babble; do
    start "$word"
    guest_runs
    kill -TERM "$monitor"
    if [[ $target == spt ]]; then ended 137; else ended 1; fi
    says '"reason":"ordered"' report
    : >"$work/out"
  done
  options=(--exit-report=@3 --stop-grace-ms=400)
  start spin
  guest_runs
  local before=${EPOCHREALTIME/./}
  kill -TERM "$monitor"
  if [[ $target == spt ]]; then ended 137; else ended 1; fi
  local took=$((${EPOCHREALTIME/./} - before))
  ((took >= 390000)) || fail "it ended $took us after the order, not after its grace"
  says '"reason":"ordered"' report
  ok "orders end it, whatever it does, after its grace"
}

# On the console of a guest that never ends its talk: whoever reads, however slow, or nobody.
reads_a_little() { head -c 4096 >/dev/null; }
reads_nothing() { exec sleep 1000; }
reads_slowly() { while read -r -n 100; do sleep 0.05; done; }
output() {
  local kind reader before after
  mkfifo "$work/console"
  for kind in a_little nothing slowly; do
    "reads_$kind" <"$work/console" &
    reader=$!
    "$build/bin/fleet-$target" --mem=4 --exit-report=@3 "$(guest 0)" babble \
      >"$work/console" 2>"$work/err" 3>"$work/report" &
    monitor=$!
    sleep 0.3
    before=$(resident)
    sleep 0.7
    after=$(resident)
    kill -0 "$monitor" 2>/dev/null || fail "who reads $kind ended the guest"
    ((after <= before + 64)) || fail "who reads $kind: it grew from $before to $after KiB"
    kill -TERM "$monitor"
    if [[ $target == spt ]]; then ended 137; else ended 1; fi
    says '"reason":"ordered"' report
    kill "$reader" 2>/dev/null
    wait "$reader" 2>/dev/null
  done
  rm "$work/console"
  ok "a console that nobody reads, or slowly, neither ends it nor keeps it, and costs no memory"
}
# KiB of memory of the monitor and what is below it.
resident() {
  local sum=0 one size
  for one in "$monitor" $(cat "/proc/$monitor/task/$monitor/children" 2>/dev/null); do
    size=$(awk '/^VmRSS/ { print $2 }' "/proc/$one/status")
    sum=$((sum + size))
  done
  echo "$sum"
}

neighbour_begins() {
  "$build/bin/fleet-$target" --mem=4 --exit-report=@3 "$(guest 0)" ready \
    >"$work/neighbour.out" 3>"$work/neighbour" &
  neighbour=$!
}
neighbour_lives() {
  kill -TERM "$neighbour" || fail "the neighbour is gone"
  wait "$neighbour"
  neighbour=
  grep -q ready "$work/neighbour.out" && grep -q '"reason":"ordered"' "$work/neighbour" ||
    fail "the neighbour did not live until it was ordered to end"
  ok "a neighbour felt nothing of all that"
}

limits() {
  # A guest that is killed from outside; the reporter of spt lives to say so.
  options=(--exit-report=@3)
  start spin
  sleep 0.3
  local child
  child=$(cat "/proc/$monitor/task/$monitor/children" 2>/dev/null)
  kill -KILL ${child:?no guest below the reporter}
  ended 137
  says '"reason":"killed_by_limit"' report
  ok "a guest that the host kills is told as killed"
}

stats() {
  status=0
  tender --mem=4 --stats=@3 "$(guest 0)" hello >"$work/out" 2>"$work/err" 3>"$work/report" ||
    status=$?
  local members="lifetime_us resident_kib" member
  if [[ $target == hvt ]]; then
    members+=" first_call_us exits calls frames_in bytes_in frames_out bytes_out"
    members+=" block_bytes_read block_bytes_written"
    grep -qE '"exits":[1-9].*"calls":2,' "$work/report" || fail "hello is two hypercalls"
  else
    members+=" user_us system_us"
  fi
  for member in $members; do says "\"$member\":" report; done
  ok "figures of a run are told"
}

here=$(dirname "$0")
. "$here/tender_images.sh"
. "$here/tender_devices.sh"
targets=("$@")
if ((${#targets[@]} == 0)); then
  targets=(spt)
  timeout 20 "$build/bin/fleet-hvt" --mem=4 "$build/images/tender/guest0.$cpu.hvt" hello \
    >/dev/null 2>&1 && targets+=(hvt)
fi
for target in "${targets[@]}"; do
  neighbour_begins
  ends_tell
  stats
  refusals
  images_refused
  images_taken
  "memory_$target"
  "calls_$target"
  devices
  orders
  output
  if [[ $target == spt ]]; then
    nothing_of_the_tender_is_left
    stop_and_go_spt
    limits
  fi
  neighbour_lives
done
echo "$passed passed, 0 failed"
