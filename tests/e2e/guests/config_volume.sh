# Sourced by what starts a DNS image without the agent.
# config_volume OUTPUT ADDRESS MAC ZONE_FILE [ARGS]...: what the agent would put on its config volume
# (images/abi/config_volume.h): one interface with ADDRESS in a /24, and the zone.
config_volume() {
  local output=$1 address=$2 mac=$3 zone=$4 folder; shift 4
  folder=$(mktemp -d)
  mkdir -p "$folder/files/zones"
  cp "$zone" "$folder/files/zones/"
  : >"$folder/env"
  (($# == 0)) && : >"$folder/args" || printf '%s\0' "$@" >"$folder/args"
  { printf 'version=1\nhostname=dns\nseed=%s\n' "$(od -An -vtx1 -N32 /dev/urandom | tr -d ' \n')"
    printf 'net0.mac=%s\nnet0.address=%s/24\nnet0.gateway=%s.1\n' "$mac" "$address" "${address%.*}"
  } >"$folder/config"
  tar --format=ustar -C "$folder" -cf "$output" config args env "files/zones/$(basename "$zone")"
  rm -rf "$folder"
}
