# Programs for the emulated machine, of this host or of ARM64; sourced.

# lab_add ROOT PROGRAM...: each a path or a name in PATH; to ROOT/bin, its libraries where they are.
# With lab_packages set, programs and libraries are those of ARM64 below that folder.
lab_packages=${lab_packages:-}
lab_add() {
  local root=$1 program path library target
  shift
  mkdir -p "$root/bin"
  for program; do
    path=$(lab_path "$program") || { echo "error: $program is missing" >&2; return 1; }
    path=$(readlink -f "$path")
    install -m 755 "$path" "$root/bin/$(basename "$program")"
    "${lab_packages:+aarch64-linux-gnu-}strip" "$root/bin/$(basename "$program")" 2>/dev/null ||
      true  # the machine has to unpack it
    while read -r library; do
      target=$root${library#"$lab_packages"}
      [[ ! -e $target ]] || continue
      mkdir -p "$(dirname "$target")"
      cp -L "$library" "$target"
    done < <(lab_libraries "$path")
  done
}

lab_path() {
  if [[ -z $lab_packages ]]; then command -v "$1"; return; fi
  PATH=$lab_packages/bin:$lab_packages/sbin:$lab_packages/usr/bin:$lab_packages/usr/sbin \
    type -P "$1"
}

# lab_libraries FILE: the loader and all libraries that it needs.
lab_libraries() {
  if [[ -z $lab_packages ]]; then
    ldd "$1" 2>/dev/null | grep -oE '/[^ )]+'
    return
  fi
  local folders=("$lab_packages"/{,usr/}lib/aarch64-linux-gnu{,/systemd} /usr/lib/aarch64-linux-gnu)
  local files=("$1") name folder
  local -A seen=()
  echo "$lab_packages/lib/ld-linux-aarch64.so.1"
  while ((${#files[@]})); do
    for name in $(aarch64-linux-gnu-readelf -d "${files[0]}" 2>/dev/null |
                  sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
      [[ -z ${seen[$name]:-} ]] || continue
      seen[$name]=yes
      for folder in "${folders[@]}"; do
        [[ -e $folder/$name ]] || continue
        echo "$folder/$name"
        files+=("$folder/$name")
        break
      done
    done
    files=("${files[@]:1}")
  done
}

# lab_unpack_arm64 FOLDER PACKAGE...: Debian's packages for ARM64 with all the libraries that they
# need, below FOLDER; nothing is installed.
lab_unpack_arm64() {
  local folder=$1 state names
  shift
  [[ $(cat "$folder/packages" 2>/dev/null) != "$*" ]] || return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  state=$(mktemp -d)
  for_arm64 "$state" apt-get -qq update
  names=$(for_arm64 "$state" apt-cache depends --recurse --no-recommends --no-suggests \
    --no-conflicts --no-breaks --no-replaces --no-enhances "$@" | grep -E '^(lib|zlib1g$)' | sort -u)
  mkdir "$state/debs"
  (cd "$state/debs" && for_arm64 "$state" apt-get -qq download "$@" $names)
  local package
  for package in "$state"/debs/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -rf "$state"
  echo "$*" >"$folder/packages"
}
