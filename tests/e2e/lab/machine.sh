# Emulated machines with a true KVM, cgroup v2 and Landlock, whatever the host has; sourced by the
# lab's tests. Needs QEMU, busybox-static, cpio and Debian's packages.
#   lab_add ROOT PROGRAM...        programs with their libraries, below the folder ROOT
#   lab_disk MIB                   an empty disk, /var/lib of every machine that boots after it
#   lab_run ROOT SECONDS [MIB]     boots with ROOT in the machine's root, does ROOT/job/run there
#   LAB_CPU                        x86_64 (default) or aarch64

lab_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$lab_here/programs.sh"
root=$(cd "$lab_here/../../.." && pwd)
build=$(cd "${FLEET_BUILD:-$root/build/release}" && pwd)
LAB_CPU=${LAB_CPU:-x86_64}
lab=$build/lab/$LAB_CPU
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$lab_here/build.sh" "$lab" "$LAB_CPU"

disk=()
lab_disk() {
  truncate -s "$1M" "$work/disk"
  mkfs.ext4 -q "$work/disk"
  disk=(-drive "file=$work/disk,format=raw,if=virtio,cache=writethrough")
}

# lab_boot SECONDS MIB: once; the console is in $work/log. 3: the machine stood still.
lab_boot() {
  # no_timer_check: a busy host does not deliver the interrupts of that check in time.
  local machine before=-1 size still=0 console="ttyS0 no_timer_check"
  local -a cpu=(qemu-system-x86_64 -cpu "max,+svm,+npt")
  if [[ $LAB_CPU == aarch64 ]]; then
    cpu=(qemu-system-aarch64 -M "virt,virtualization=on" -cpu cortex-a72)
    console=ttyAMA0
  fi
  # One processor and one thread: with several, the emulated machine stands still now and then.
  setpriv --pdeathsig KILL "${cpu[@]}" -accel tcg,thread=single -smp 1 -m "$2" "${disk[@]}" \
    -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -kernel "$lab/vmlinuz" -initrd "$work/all.cpio" \
    -append "console=$console quiet panic=-1 printk.devkmsg=on LAB_SECONDS=$1" \
    </dev/null >"$work/log" 2>&1 &
  machine=$!
  # The machine says every 5 s that it lives.
  while kill -0 "$machine" 2>/dev/null; do
    sleep 0.5
    size=$(stat -c %s "$work/log")
    if ((size == before)); then still=$((still + 1)); else still=0; fi
    before=$size
    if ((still >= 120)); then
      kill -9 "$machine"
      wait "$machine" 2>/dev/null || true
      return 3
    fi
  done
  wait "$machine" 2>/dev/null || true
}

# lab_run ROOT SECONDS [MIB]: a machine that stood still is tried once more, on the disk as it was; a
# job that fails or takes longer is not. True if the job's status was 0.
lab_run() {
  local root=$1 seconds=$2 mib=${3:-1024} status=0
  # Not compressed: the emulated CPU would have to undo it.
  (cd "$root" && find . -mindepth 1 | cpio -o -H newc -R 0:0 --quiet >"$work/job.cpio")
  cat "$lab/lab.cpio" "$work/job.cpio" >"$work/all.cpio"
  [[ ! -e $work/disk ]] || cp --sparse=always "$work/disk" "$work/disk.before"
  lab_boot "$seconds" "$mib" || status=$?
  if ((status == 3)); then
    echo "the emulated machine stood still; once more. Its last words:"
    tail -n 5 "$work/log"
    [[ ! -e $work/disk ]] || mv "$work/disk.before" "$work/disk"
    lab_boot "$seconds" "$mib" || true
  fi
  tr -d '\r' <"$work/log" | grep -v '^lab: alive$'
  tr -d '\r' <"$work/log" | grep -qx 'lab: status 0'
}
