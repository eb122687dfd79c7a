# Part of tenders_test.sh: guests with a network and a disk that use them, and misuse them.

# disk WORDS: the guest with devices does this; its disk is descriptor 10.
with_devices() {
  status=0
  tender --mem=4 --exit-report=@3 --net:service=guest9 --block:disk=@10 "$(guest 2)" "$@" \
    >"$work/out" 2>"$work/err" 3>"$work/report" 10<>"$work/disk" || status=$?
}
expect_device() {
  local want_status=$1
  shift
  with_devices "$@"
  [[ $status == "$want_status" ]] || fail "$*: status $status, not $want_status"
}

devices() {
  dd if=/dev/zero of="$work/disk" bs=512 count=128 2>/dev/null
  expect_device 0 devices
  says "service attached" out
  says "disk attached, read and written" out
  [[ $(number "$work/disk" 65024 1) == 1 ]] || fail "the last sector was not written"
  head -c 1000 /dev/zero >"$work/odd"
  refused "Backing storage size must be block aligned" --net:service=guest9 \
    --block:disk="$work/odd" "$(guest 2)"
  # A disk for reading only is an answer, not an end.
  status=0
  tender --mem=4 --net:service=guest9 --block:disk=@10 "$(guest 2)" devices \
    >"$work/out" 2>"$work/err" 10<"$work/disk" || status=$?
  [[ $status == 0 ]] || fail "a disk for reading only: status $status"
  says "disk attached, not usable" out
  # Started without a stdout, the guest has no console; the disk does not become one.
  status=0
  tender --mem=4 --net:service=guest9 --block:disk="$work/disk" @11 devices \
    11<"$(guest 2)" >&- 2>"$work/err" || status=$?
  [[ $status == 0 ]] || fail "without a stdout: status $status"
  ! grep -qa attached "$work/disk" || fail "without a stdout: the console is on the disk"
  "devices_$target"
  expect_device 0 devices
  ok "devices are used within their bounds and by their own names only"
}

devices_spt() {
  local read=17 write=18
  [[ $cpu == x86_64 ]] || { read=67; write=68; }
  local call words
  for call in $read $write; do
    for words in "10 512 0" "10 512 65024" "10 512 1"; do
      expect_device 0 disk "$call" $words
      says "moved 512" out
    done
    # Other descriptors, sizes, and offsets up to the edge of 64 bits.
    for words in "0 512 0" "1 512 0" "2 512 0" "3 512 0" "4 512 0" "5 512 0" "11 512 0" \
      "4294967306 512 0" "18446744073709551615 512 0" "10 0 0" "10 511 0" "10 513 0" "10 1024 0" \
      "10 65536 0" "10 4294967808 0" "10 18446744073709551615 0" "10 512 65025" "10 512 65536" \
      "10 512 4294967296" "10 512 9223372036854775808" "10 512 18446744073709551104" \
      "10 512 18446744073709551615"; do
      expect_device 159 disk "$call" $words
      says "the guest made the system call $call," report
    done
  done
}

devices_hvt() {
  expect_device 0 misuse 65536
  says "all refused" out
}
