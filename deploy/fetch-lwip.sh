#!/usr/bin/env bash
# Fetches lwIP as Debian's source package, with Debian's patches, for the unikernel images.
# usage: fetch-lwip.sh [DIRECTORY]    default $FLEET_LWIP_DIR, else /usr/src/unifleet/lwip
# Uses a private apt configuration made from this machine's own Debian sources: nothing of the
# system's is changed, and apt checks the signatures as always. Repeatable: ends at once if it is
# there.
set -euo pipefail

target=${1:-${FLEET_LWIP_DIR:-/usr/src/unifleet/lwip}}
if [[ -f $target/src/core/init.c ]]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,cache/archives/partial,sources.d,source}

# Every Debian source of this machine that offers binaries offers sources too.
shopt -s nullglob
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [[ -f $file ]] || continue
  # One-line style: the same line with deb-src, for suites that Debian itself publishes.
  sed -nE 's/^deb( +\[[^]]*\])? +(\S*debian\S* .*)$/deb-src\1 \2/p' "$file" \
    >>"$work/sources.d/lines.list"
done
for file in /etc/apt/sources.list.d/*.sources; do
  # deb822 style: stanzas of Debian's own archive, `deb` made `deb-src`.
  awk 'BEGIN { RS = ""; ORS = "\n\n" } /URIs:[^\n]*debian/ { print }' "$file" |
    sed -E 's/^Types:.*/Types: deb-src/' >"$work/sources.d/$(basename "$file")"
done
if ! grep -qsr 'deb-src' "$work/sources.d"; then
  echo "error: no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d" >&2
  echo "  add one, or unpack lwIP 2.1 yourself and name its folder: FLEET_LWIP_DIR=DIR" >&2
  exit 1
fi

apt=(
  -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/sources.d"
  -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root
)
apt-get "${apt[@]}" -qq update
(cd "$work/source" && apt-get "${apt[@]}" -qq source lwip >/dev/null)
unpacked=("$work"/source/lwip-*/)
if [[ ! -f ${unpacked[0]:-}/src/core/init.c ]]; then
  echo "error: Debian's source package lwip did not unpack to what was expected" >&2
  exit 1
fi
mkdir -p "$(dirname "$target")"
rm -rf "$target.new"
mv "${unpacked[0]}" "$target.new"
rm -rf "$target"
mv "$target.new" "$target"
echo "lwIP is in $target"
