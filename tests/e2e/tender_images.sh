# Part of tenders_test.sh: whole images with one thing changed, that a tender must refuse by its
# name, or must run.

# number FILE OFFSET BYTES, put FILE OFFSET BYTES NUMBER: little endian.
number() { od -An -v "-tu$3" "-j$2" "-N$3" "$1" | tr -d ' '; }
put() {
  local bytes='' i
  for ((i = 0; i < $3; i++)); do bytes+=$(printf '\\x%02x' $(($4 >> (8 * i) & 255))); done
  # shellcheck disable=SC2059
  printf "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
# header FILE TYPE N: where the N-th program header of this type is: 1 PT_LOAD, 3 PT_INTERP,
# 4 PT_NOTE.
header() {
  local at nth=0
  at=$(number "$1" 32 8)
  for ((i = $(number "$1" 56 2); i > 0; i--, at += 56)); do
    if (($(number "$1" "$at" 4) == $2 && nth++ == $3)); then
      echo "$at"
      return
    fi
  done
}
# An image of ours with one thing changed, as $file: places of its parts, for `put`.
take_image() {
  file=$work/image
  cp "$(guest 0)" "$file"
  text=$(header "$file" 1 0)
  data=$(header "$file" 1 3)  # behind the stack, which has no bytes in the file
  abi=$(number "$file" $(($(header "$file" 4 1) + 8)) 8)
  manifest=$(number "$file" $(($(header "$file" 4 2) + 8)) 8)
}

images_refused() {
  local file text data abi manifest
  take_image && put "$file" $((abi + 24)) 4 3 &&
    refused "ABI version 3; 1 and 2 are supported" "$file"
  take_image && put "$file" $((abi + 20)) 4 3 && refused "built for Solo5's target virtio" "$file"
  take_image && put "$file" $((text + 4)) 4 7 && refused "is writable and executable" "$file"
  take_image && put "$file" $((data + 16)) 8 1048576 && refused "overlaps an earlier one" "$file"
  take_image && put "$file" $((text + 16)) 8 65536 && refused "below 0x100000" "$file"
  take_image && put "$file" $((data + 40)) 8 $((1 << 62)) &&
    refused "ends beyond every possible memory" "$file"
  take_image && put "$file" $((data + 40)) 8 $((64 << 20)) &&
    refused "KiB of memory, --mem gives 4096 KiB" --mem=4 "$file"
  take_image && put "$file" $((abi + 4)) 4 65536 &&
    refused "note does not fall within valid size" "$file"
  take_image && put "$file" $((manifest + 28)) 4 65 &&
    refused "65 entries in 116 bytes; at most 64 entries are possible" "$file"
  take_image && put "$file" $((manifest + 24)) 4 2 && refused "manifest of version 2" "$file"
  take_image && put "$file" 18 2 8 && refused "built for another CPU, this host is $cpu" "$file"
  take_image && put "$file" 24 8 $((1 << 40)) && refused "its entry 0x10000000000" "$file"
  ok "images that break a rule are refused by it"
}

# runs FILE WHAT
runs() {
  status=0
  tender --mem=4 "$1" hello >"$work/out" 2>"$work/err" || status=$?
  [[ $status == 0 ]] && grep -q SUCCESS "$work/out" || fail "$2: status $status"
}
images_taken() {
  local file text data abi manifest empty
  take_image && put "$file" $((abi + 24)) 4 1 && runs "$file" "an image of ABI 1"
  take_image && put "$file" $((text + 4)) 4 1 && runs "$file" "a text that is only run"
  take_image && empty=$(header "$file" 3 0)
  dd if=/dev/zero of="$file" bs=1 seek="$empty" count=56 conv=notrunc 2>/dev/null
  put "$file" "$empty" 4 1
  runs "$file" "a PT_LOAD of no size at 0"
  runs "$build/images/tender/stretched.$cpu.$target" "notes in the text, .bss without file bytes"
  runs "$build/images/debug/tender.guest0.$cpu.$target.debug" "debug sections"
  ok "images that stretch a loader run"
}
