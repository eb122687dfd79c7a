#!/usr/bin/env bash
# Runs every fuzz target for some seconds, starting from its corpus. tests/fuzz/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds="${1:-60}"
for package in clang-14 libclang-rt-14-dev; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends clang "$package"
done
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --parallel "$(nproc)" --target fuzz_targets
found=0
for target in build/fuzz/bin/*_fuzz; do
  name=$(basename "$target")
  work=build/fuzz/work/$name
  mkdir -p "$work"
  echo "== $name, $seconds s"
  corpus=tests/fuzz/corpus/${name%_fuzz}
  [[ -d $corpus ]] || corpus=
  if ! "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$work/" "$work" $corpus 2>"$work.log"; then
    tail -n 40 "$work.log"
    found=1
  fi
  grep -E 'number_of_executed_units|average_exec' "$work.log" || true
done
exit $found
