# Sourced by what starts a DNS image without the agent.
# config_volume OUTPUT ADDRESS[,ADDRESS6] MAC ZONES [ARGS]...: what the agent would put on its config
# volume (images/abi/config_volume.h): one interface with ADDRESS in a /24 and ADDRESS6 in a /64, and
# the zone file or all zone files of a folder; a dns.conf among them goes to the root.
config_volume() {
  local output=$1 address=${2%,*} address6=${2#*,} mac=$3 zones=$4 folder; shift 4
  [[ ! -d $zones ]] || zones=$zones/.
  folder=$(mktemp -d)
  mkdir -p "$folder/files/zones"
  cp -r "$zones" "$folder/files/zones/"
  [[ ! -e $folder/files/zones/dns.conf ]] || mv "$folder/files/zones/dns.conf" "$folder/files/"
  : >"$folder/env"
  (($# == 0)) && : >"$folder/args" || printf '%s\0' "$@" >"$folder/args"
  { printf 'version=1\nhostname=dns\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')"
    printf 'net0.mac=%s\nnet0.address=%s/24\nnet0.gateway=%s.1\n' "$mac" "$address" "${address%.*}"
    [[ $address6 == "$address" ]] || printf 'net0.address6=%s/64\n' "$address6"
  } >"$folder/config"
  (cd "$folder" && tar --format=ustar -cf "$output" config args env $(find files -type f))
  rm -rf "$folder"
}
