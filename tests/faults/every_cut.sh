#!/usr/bin/env bash
# The long run of the power cuts: many more ways in which a disk may lose what was not synced, and the
# real programs at every durable call. After `cmake --build --preset release`; needs root.
#   tests/faults/every_cut.sh [SEEDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${FLEET_BUILD:-build/release}
export TMPDIR=/dev/shm
"$build/bin/faults_agent" --seeds "${1:-60}" --twice 10
"$build/bin/faults_controller" --seeds "${1:-60}"
unset TMPDIR
FLEET_CUTS=0 tests/faults/programs_test.sh
