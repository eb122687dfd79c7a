#!/usr/bin/env bash
# fleet-spt and fleet-hvt with guests that do all that they should not: each must end as it should,
# say why, and leave nothing behind. tenders_test.sh [spt|hvt]... (spt)
# hvt needs a KVM that works: hvt_test.sh runs this inside a machine that has one. Plain bash, so
# that it runs there too.
set -uo pipefail

build=${FLEET_BUILD:?FLEET_BUILD is the build folder}
cpu=$(uname -m)
work=$(mktemp -d)
passed=0
target=
monitor=
trap '[[ -z $monitor ]] || kill -9 "$monitor" 2>/dev/null; rm -rf "$work"' EXIT

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
  for place in null low boot text constant beyond far data heap; do
    expect 139 guest_abort touch "$place"
    says '"signal":11' report
  done
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
  done
  for place in text constant; do
    expect 1 guest_abort touch "$place"
    says "host/guest translation fault" err
  done
  ok "memory that is not the guest's, its text and constants end it"
}

calls_hvt() {
  for number in 0 9 10 63 255; do
    expect 1 guest_abort call "$number" 1048576
    says "hypercall $number: there is no such call" err
  done
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
  options=(--exit-report=@3)
  for word in spin sleep babble; do
    start "$word"
    sleep 0.3
    kill -TERM "$monitor"
    if [[ $target == spt ]]; then ended 137; else ended 1; fi
    says '"reason":"ordered"' report
    : >"$work/out"
  done
  options=(--exit-report=@3 --stop-grace-ms=400)
  start spin
  sleep 0.2
  local before=${EPOCHREALTIME/./}
  kill -TERM "$monitor"
  if [[ $target == spt ]]; then ended 137; else ended 1; fi
  local took=$((${EPOCHREALTIME/./} - before))
  ((took >= 390000)) || fail "it ended $took us after the order, not after its grace"
  says '"reason":"ordered"' report
  ok "orders end it, whatever it does, after its grace"
}

output() {
  "$build/bin/fleet-$target" --mem=4 --exit-report=@3 "$(guest 0)" babble \
    2>"$work/err" 3>"$work/report" > >(head -c 4096 >"$work/out") &
  monitor=$!
  sleep 0.5
  kill -0 "$monitor" 2>/dev/null || fail "a closed console ended the guest"
  kill -TERM "$monitor"
  if [[ $target == spt ]]; then ended 137; else ended 1; fi
  ok "a console that nobody reads does not end it"
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

for target in "${@:-spt}"; do
  ends_tell
  refusals
  "memory_$target"
  "calls_$target"
  orders
  output
  if [[ $target == spt ]]; then
    nothing_of_the_tender_is_left
    limits
  fi
done
echo "$passed passed, 0 failed"
