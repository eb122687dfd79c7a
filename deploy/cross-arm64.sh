#!/usr/bin/env bash
# Cross-builds every program for ARM64, so that it never rots. deploy/cross-arm64.sh [JOBS]
set -euo pipefail
cd "$(dirname "$0")/.."
jobs="${1:-$(nproc)}"
libraries=(
  libboost1.81-dev libprotobuf-dev libmbedtls-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev
  libsodium-dev
  libyaml-cpp0.7 libseccomp-dev libnftables-dev libnetfilter-conntrack-dev libmnl-dev libsoci-dev
  libzstd-dev libsystemd-dev
)
missing=()
have() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'install ok installed'; }
for tool in g++-aarch64-linux-gnu qemu-system-arm; do
  have "$tool" || missing+=("$tool")
done
for library in "${libraries[@]}"; do
  have "$library:arm64" || missing+=("$library:arm64" "$library")
done
if ((${#missing[@]})); then
  export DEBIAN_FRONTEND=noninteractive
  dpkg --add-architecture arm64
  apt-get update -q
  # Copies of two architectures must have the same version, so the native ones come along.
  apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
# These exist for one architecture at a time, so ARM64's are unpacked beside the build.
beside=(
  libyaml-cpp-dev libyaml-cpp0.7 libhowardhinnant-date-dev libdate-tz3 prometheus-cpp-dev
  libprometheus-cpp-core1.0
)
extra=$PWD/build/arm64-extra
if [[ $(cat "$extra/packages" 2>/dev/null) != "${beside[*]}" ]]; then
  rm -rf "$extra" && mkdir -p "$extra"
  (cd "$extra" && apt-get download -q "${beside[@]/%/:arm64}" &&
    for package in ./*.deb; do dpkg-deb -x "$package" .; done && rm ./*.deb)
  echo "${beside[*]}" >"$extra/packages"
fi
cmake --preset arm64 -DFLEET_TESTS=OFF -DCMAKE_PREFIX_PATH="$extra/usr" >/dev/null
cmake --build --preset arm64 --parallel "$jobs"
for program in fleetctl fleet-controller fleet-agent fleet-launcher fleet-fetch fleet-spt fleet-hvt; do
  machine=$(od -An -tu2 -j18 -N2 "build/arm64/bin/$program" | tr -d ' ')
  [[ $machine == 183 ]] || { echo "error: build/arm64/bin/$program is not for ARM64 (machine $machine)" >&2; exit 1; }
done
echo "every program is built for ARM64"
