# Programs of this host for the emulated machine; sourced.

# lab_add ROOT PROGRAM...: each a path or a name in PATH; to ROOT/bin, its libraries where they are.
lab_add() {
  local root=$1 program path library
  shift
  mkdir -p "$root/bin"
  for program; do
    path=$(command -v "$program") || { echo "error: $program is missing" >&2; return 1; }
    path=$(readlink -f "$path")
    install -m 755 "$path" "$root/bin/$(basename "$program")"
    strip "$root/bin/$(basename "$program")" 2>/dev/null || true  # the machine has to unpack it
    while read -r library; do
      [[ ! -e $root$library ]] || continue
      mkdir -p "$root$(dirname "$library")"
      cp -L "$library" "$root$library"
    done < <(ldd "$path" 2>/dev/null | grep -oE '/[^ )]+')
  done
}
