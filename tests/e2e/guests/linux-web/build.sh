#!/usr/bin/env bash
# Makes the foreign guest from Debian's packages: vmlinuz, initrd.cpio.gz and manifest.yml.
# usage: build.sh OUTPUT_FOLDER [x86_64 | aarch64]
# Fetches the cloud kernel's package, and another CPU's busybox, with apt and unpacks them (nothing is
# installed); needs busybox-static and cpio. Repeatable: ends at once if the three files are there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../cloud_kernel.sh"
output=${1:?usage: build.sh OUTPUT_FOLDER [x86_64 | aarch64]}
cpu=${2:-x86_64}
mkdir -p "$output"
output=$(cd "$output" && pwd)
sed "s/x86_64/$cpu/" "$here/manifest.yml" >"$output/manifest.yml"
if [[ -s $output/vmlinuz && $output/initrd.cpio.gz -nt $here/init &&
      $output/initrd.cpio.gz -nt $here/build.sh ]]; then
  exit 0
fi
for tool in cpio gzip dpkg-deb /bin/busybox; do
  command -v "$tool" >/dev/null || {
    echo "error: $tool is missing; deploy/install-deps.sh installs it" >&2
    exit 1
  }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
busybox=/bin/busybox
if [[ $cpu == aarch64 ]]; then
  unpack_cloud_kernel "$work" arm64
  unpack_arm64 "$work" busybox-static
  busybox=$work/static/bin/busybox
else
  unpack_cloud_kernel "$work"
fi

root=$work/root
mkdir -p "$root"/{bin,www,dev}
copy_modules "$work" "$root" virtio_ring virtio virtio_mmio virtio_pci failover net_failover virtio_net virtio_blk
install -m 755 "$here/init" "$root/init"
install -m 755 "$busybox" "$root/bin/busybox"
install -m 644 "$here/index.html" "$root/www/index.html"
mknod "$root/dev/console" c 5 1 2>/dev/null || true  # without it /init opens it after devtmpfs
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet --reproducible |
  gzip -9n >"$work/initrd.cpio.gz")
cp "$work"/kernel/boot/vmlinuz-* "$output/vmlinuz.new"
mv "$output/vmlinuz.new" "$output/vmlinuz"
mv "$work/initrd.cpio.gz" "$output/initrd.cpio.gz"
