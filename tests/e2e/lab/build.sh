#!/usr/bin/env bash
# Makes a small machine out of Debian's packages, for what a host may not have: a true KVM, cgroup
# v2, Landlock, or another CPU. vmlinuz and lab.cpio; files under test are appended to the latter.
# usage: build.sh OUTPUT_FOLDER [x86_64 | aarch64]
# Fetches packages with apt and unpacks them (nothing is installed); needs busybox-static, iproute2
# and cpio. Repeatable: ends at once if both files are there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../guests/cloud_kernel.sh"
. "$here/programs.sh"
output=${1:?usage: build.sh OUTPUT_FOLDER [x86_64 | aarch64]}
cpu=${2:-x86_64}
mkdir -p "$output"
output=$(cd "$output" && pwd)
if [[ -s $output/vmlinuz && $output/lab.cpio -nt $here/init &&
      $output/lab.cpio -nt $here/build.sh ]]; then
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

modules=(nf_conntrack_netlink nft_ct nft_nat nft_chain_nat nft_masq nft_fib_inet virtio_pci virtio_blk
  crc32c_generic ext4)
root=$work/root
mkdir -p "$root"/{bin,dev,mnt,proc,root,run,sys,tmp,lib64}
if [[ $cpu == aarch64 ]]; then
  unpack_cloud_kernel "$work" arm64
  copy_modules "$work" "$root" tun veth bridge "${modules[@]}"
  unpack_arm64 "$work" busybox-static bash-static
  install -m 755 "$work/static/bin/busybox" "$root/bin/busybox"
  install -m 755 "$work/static/bin/bash-static" "$root/bin/bash"
else
  unpack_cloud_kernel "$work"
  copy_modules "$work" "$root" kvm-amd tun veth bridge "${modules[@]}"
  # GNU's own timeout, which busybox's does not replace.
  lab_add "$root" bash timeout ip mktemp date
  install -m 755 /bin/busybox "$root/bin/busybox"
fi
install -m 755 "$here/init" "$root/init"
(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet >"$work/lab.cpio")
cp "$work"/kernel/boot/vmlinuz-* "$output/vmlinuz.new"
mv "$output/vmlinuz.new" "$output/vmlinuz"
mv "$work/lab.cpio" "$output/lab.cpio"
