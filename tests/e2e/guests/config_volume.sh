# Sourced by what starts an image without the agent: its config volume, as the agent would make it
# (images/abi/config_volume.h).

# volume_of OUTPUT FILES LINE... [-- ARGUMENT...]: with the files of that folder and these lines of its
# config.
volume_of() {
  local output=$1 files=$2 folder
  shift 2
  folder=$(mktemp -d)
  cp -r "$files" "$folder/files"
  {
    printf 'version=1\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')"
    while (($# > 0)) && [[ $1 != -- ]]; do printf '%s\n' "$1"; shift; done
  } >"$folder/config"
  (($# == 0)) || shift
  : >"$folder/args"
  : >"$folder/env"
  (($# == 0)) || printf '%s\0' "$@" >"$folder/args"
  (cd "$folder" && tar --format=ustar -cf "$output" config args env $(find files -type f))
  rm -rf "$folder"
}

# config_volume OUTPUT ADDRESS[,ADDRESS6] MAC ZONES [ARGS]...: of a DNS image: one interface with
# ADDRESS in a /24 and ADDRESS6 in a /64, and the zone file or all zone files of a folder; a dns.conf
# among them goes to the root.
config_volume() {
  local output=$1 address=${2%,*} address6=${2#*,} mac=$3 zones=$4 files
  shift 4
  [[ ! -d $zones ]] || zones=$zones/.
  files=$(mktemp -d)
  mkdir "$files/zones"
  cp -r "$zones" "$files/zones/"
  [[ ! -e $files/zones/dns.conf ]] || mv "$files/zones/dns.conf" "$files/"
  local -a lines=(hostname=dns "net0.mac=$mac" "net0.address=$address/24" "net0.gateway=${address%.*}.1")
  [[ $address6 == "$address" ]] || lines+=("net0.address6=$address6/64")
  volume_of "$output" "$files" "${lines[@]}" -- "$@"
  rm -rf "$files"
}
