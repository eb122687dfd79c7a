#!/usr/bin/env bash
# Makes a small machine with a true KVM out of Debian's packages, for hosts whose own KVM is missing
# or only emulates: vmlinuz and lab.cpio.gz. Files under test are appended to the latter.
# usage: build.sh OUTPUT_FOLDER
# Fetches the cloud kernel's package with apt and unpacks it (nothing is installed); needs
# busybox-static, iproute2 and cpio. Repeatable: ends at once if both files are there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../guests/cloud_kernel.sh"
output=${1:?usage: build.sh OUTPUT_FOLDER}
mkdir -p "$output"
output=$(cd "$output" && pwd)
if [[ -s $output/vmlinuz && $output/lab.cpio.gz -nt $here/init &&
      $output/lab.cpio.gz -nt $here/build.sh ]]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack_cloud_kernel "$work"

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,lib64}
copy_modules "$work" "$root" irqbypass kvm ccp kvm-amd tun
# Bash and GNU's own timeout, which busybox's does not replace; with their libraries.
for tool in bash timeout ip mktemp date; do
  path=$(readlink -f "$(command -v "$tool")")
  install -m 755 "$path" "$root/bin/$tool"
  ldd "$path" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
done
install -m 755 /bin/busybox "$root/bin/busybox"
install -m 755 "$here/init" "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet | gzip -1n >"$work/lab.cpio.gz")
cp "$work"/kernel/boot/vmlinuz-* "$output/vmlinuz.new"
mv "$output/vmlinuz.new" "$output/vmlinuz"
mv "$work/lab.cpio.gz" "$output/lab.cpio.gz"
