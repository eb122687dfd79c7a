#!/usr/bin/env bash
# Makes a small machine with a true KVM out of Debian's packages, for hosts whose own KVM is missing
# or only emulates: vmlinuz and lab.cpio.gz. Files under test are appended to the latter.
# usage: build.sh OUTPUT_FOLDER
# Fetches the cloud kernel's package with apt and unpacks it (nothing is installed); needs
# busybox-static, iproute2 and cpio. Repeatable: ends at once if both files are there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: build.sh OUTPUT_FOLDER}
mkdir -p "$output"
output=$(cd "$output" && pwd)
if [[ -s $output/vmlinuz && $output/lab.cpio.gz -nt $here/init &&
      $output/lab.cpio.gz -nt $here/build.sh ]]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
kernel=$(apt-cache depends --important linux-image-cloud-amd64 |
  awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
if [[ -z $kernel ]]; then
  echo "error: apt knows no linux-image-cloud-amd64; run: apt-get update" >&2
  exit 1
fi
(cd "$work" && apt-get -o APT::Sandbox::User=root -qq download "$kernel")
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"

root=$work/root
mkdir -p "$root"/{bin,dev,proc,sys,tmp,modules,lib64}
: >"$root/modules/order"
for module in irqbypass kvm ccp kvm-amd tun; do
  file=$(find "$work/kernel/lib/modules" -name "$module.ko" -print -quit)
  [[ -n $file ]] || continue
  cp "$file" "$root/modules/"
  echo "$module.ko" >>"$root/modules/order"
done
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
