#!/usr/bin/env bash
# The launcher's jail and limits where the kernel has all that they use: cgroup v2, Landlock and a
# true KVM, in an emulated machine with Debian's kernel (lab/machine.sh).
set -euo pipefail
. "$(dirname "$0")/lab/machine.sh"

machine=$work/root
mkdir -p "$machine/job/build/bin" "$machine/job/build/images"
cp "$build"/bin/fleet-{spt,hvt} "$machine/job/build/bin/"
cp -r "$build"/images/{tender,dns} "$machine/job/build/images/"
lab_add "$machine" ip nsenter strace "$build/bin/fleet-launcher" "$build"/bin/e2e_{launcher,limits}
mv "$machine/bin/fleet-launcher" "$machine/job/build/bin/"
cat >"$machine/job/run" <<'JOB'
export FLEET_BUILD=/job/build
failed=0
# Without colour, and one line for each test.
tests() { "$@" 2>&1 | grep -vE '^\[(==|--| RUN)' ; [[ ${PIPESTATUS[0]} == 0 ]] || failed=1; }
tests e2e_limits
tests e2e_launcher --gtest_filter='*LauncherTender*:*LauncherSpt.AGuestThat*'
for target in spt hvt; do
  strace -f -e trace=landlock_restrict_self,seccomp,prctl -o /tmp/calls \
    build/bin/fleet-$target --mem=4 build/images/tender/guest0.x86_64.$target hello >/tmp/said
  if grep -qE 'landlock_restrict_self\(.*\) += 0$' /tmp/calls && grep -q SUCCESS /tmp/said; then
    echo "ok: fleet-$target shuts itself into a Landlock domain before its guest begins"
  else
    echo "FAILED: fleet-$target: no Landlock domain"; cat /tmp/calls; failed=1
  fi
done
exit "$failed"
JOB
lab_run "$machine" 400
