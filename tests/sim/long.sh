#!/usr/bin/env bash
# The simulator's long run: many new seeds, then one world of a thousand devices.
#   tests/sim/long.sh [SEEDS]
set -euo pipefail
cd "$(dirname "$0")/../.."

seeds="${1:-2000}"
first=$(date +%s)
sim=build/release/bin/sim_test
"$sim" --seed "$first" --devices 4 --runs "$seeds" >build/sim-long.log ||
  { grep -v ': at rest;' build/sim-long.log >&2; exit 1; }
echo "$seeds worlds of 4 devices came to rest, seeds from $first on"
"$sim" --seed "$first" --devices 1000 --minutes 5
