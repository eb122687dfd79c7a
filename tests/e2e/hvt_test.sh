#!/usr/bin/env bash
# fleet-hvt where KVM is true: in an emulated machine whose processor has SVM (lab/machine.sh).
set -euo pipefail
. "$(dirname "$0")/lab/machine.sh"
. "$lab_here/tenders_job.sh"
tenders_job "$build" hvt hvt
lab_run "$work/root" 300
