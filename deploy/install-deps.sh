#!/usr/bin/env bash
# Installs what building, running and testing Unifleet needs on Debian 12, and nothing that is there.
# Needs root. Repeatable: a second run finds everything and ends at once.
set -euo pipefail

build=(
  g++ ninja-build cmake pkg-config ccache
  libboost1.81-dev libprotobuf-dev protobuf-compiler libmbedtls-dev libcurl4-openssl-dev libssl-dev
  libsqlite3-dev libsodium-dev libgtest-dev libyaml-cpp-dev libcli11-dev libspdlog-dev libfmt-dev
  libseccomp-dev libnftables-dev libnetfilter-conntrack-dev libmnl-dev libsoci-dev
  nlohmann-json3-dev libzstd-dev libhowardhinnant-date-dev tzdata libsystemd-dev libbenchmark-dev
  prometheus-cpp-dev
  dpkg-dev                      # unpacks lwIP's source package for the images
  g++-aarch64-linux-gnu         # the images for ARM64
)
run=(
  qemu-system-x86 nftables iproute2 util-linux procps openssl
)
show=(
  qemu-system-arm               # images for ARM64, which an x86_64 runs in QEMU
  bind9-dnsutils conntrack iputils-ping busybox-static cpio jq curl strace systemd
  nsd dnsperf python3-dnspython  # the name server that ours must answer like, and what asks it
  prometheus python3-jsonschema python3-yaml  # scraping and alerts, how API and --json are described
  socat sqlite3 faketime        # faults of the wire, of the store and of clocks
  iperf3 nmap                   # what goes through the firewall, and what should not
  mosquitto mosquitto-clients   # what the sensor publishes to, and who listens
  chromium fonts-dejavu-core    # the person in front of the dashboard
)
want=("${build[@]}" "${run[@]}" "${show[@]}")
# What builds the dashboard, and fetches and runs the peers of tests; one from elsewhere serves as well.
python3 -c 'import ensurepip' 2>/dev/null || want+=(python3-venv)
command -v node >/dev/null && command -v npm >/dev/null || want+=(nodejs npm)

missing=()
for package in "${want[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    missing+=("$package")
done
if ((${#missing[@]})); then
  echo "installing ${#missing[@]} packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # Tests start their own name server, broker and Prometheus: those of the packages shall not run.
  guard=/usr/sbin/policy-rc.d
  if [[ ! -e $guard ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod 755 "$guard"
    trap 'rm -f "$guard"' EXIT
  fi
  apt-get install -y -q --no-install-recommends "${missing[@]}"
  for daemon in prometheus nsd mosquitto; do
    [[ -d /run/systemd/system && " ${missing[*]} " == *" $daemon "* ]] || continue
    systemctl --quiet disable "$daemon"
  done
fi
# The images' TCP/IP stack comes as Debian's source package.
"$(dirname "$0")/fetch-lwip.sh"
