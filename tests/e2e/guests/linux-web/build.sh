#!/usr/bin/env bash
# Makes the foreign guest from Debian's packages: vmlinuz, initrd.cpio.gz and manifest.yml.
# usage: build.sh OUTPUT_FOLDER [vmlinuz MODULES_FOLDER]
# Fetches the cloud kernel's package with apt and unpacks it (nothing is installed); needs
# busybox-static and cpio. Repeatable: ends at once if the three files are there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
output=${1:?usage: build.sh OUTPUT_FOLDER}
mkdir -p "$output"
output=$(cd "$output" && pwd)
cp "$here/manifest.yml" "$output/manifest.yml"
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
kernel=$(apt-cache depends --important linux-image-cloud-amd64 |
  awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
if [[ -z $kernel ]]; then
  echo "error: apt knows no linux-image-cloud-amd64; run: apt-get update" >&2
  exit 1
fi
(cd "$work" && apt-get -o APT::Sandbox::User=root -qq download "$kernel")
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"

# Each before those that need it; what a kernel has built in has no file.
root=$work/root
mkdir -p "$root"/{bin,modules,www,dev}
: >"$root/modules/order"
for module in virtio_ring virtio virtio_mmio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net; do
  file=$(find "$work/kernel/lib/modules" -name "$module.ko" -print -quit)
  [[ -n $file ]] || continue
  cp "$file" "$root/modules/"
  echo "$module.ko" >>"$root/modules/order"
done
install -m 755 "$here/init" "$root/init"
install -m 755 /bin/busybox "$root/bin/busybox"
install -m 644 "$here/index.html" "$root/www/index.html"
mknod "$root/dev/console" c 5 1 2>/dev/null || true  # without it /init opens it after devtmpfs
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet --reproducible |
  gzip -9n >"$work/initrd.cpio.gz")
cp "$work"/kernel/boot/vmlinuz-* "$output/vmlinuz.new"
mv "$output/vmlinuz.new" "$output/vmlinuz"
mv "$work/initrd.cpio.gz" "$output/initrd.cpio.gz"
