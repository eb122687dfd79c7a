#!/usr/bin/env bash
# Runs every fuzz target for some seconds, starting from its corpus. tests/fuzz/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds="${1:-60}"
for package in clang clang-14 libclang-rt-14-dev; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package"
done
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --parallel "$(nproc)" --target fuzz_targets

fuzz() {  # fuzz TARGET: as long as asked, from its corpus and from what earlier runs found
  local name corpus work status=0
  name=$(basename "$1")
  work=build/fuzz/work/$name
  corpus=tests/fuzz/corpus/${name%_fuzz}
  mkdir -p "$work"
  [[ -d $corpus ]] || corpus=
  "$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work" $corpus 2>"$work.log" || status=1
  echo "== $name, $seconds s"
  if ((status)); then tail -n 40 "$work.log"; fi
  grep -E 'number_of_executed_units|average_exec' "$work.log"
  return $status
}
export -f fuzz
export seconds
printf '%s\n' build/fuzz/bin/*_fuzz | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'
