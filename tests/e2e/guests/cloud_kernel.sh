# Debian's cloud kernel for guests of the tests; sourced.

# unpack_cloud_kernel FOLDER: the kernel's package below FOLDER/kernel; nothing is installed
unpack_cloud_kernel() {
  local work=$1 kernel
  kernel=$(apt-cache depends --important linux-image-cloud-amd64 |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
  if [[ -z $kernel ]]; then
    echo "error: apt knows no linux-image-cloud-amd64; run: apt-get update" >&2
    return 1
  fi
  (cd "$work" && apt-get -o APT::Sandbox::User=root -qq download "$kernel")
  dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
}

# copy_modules FOLDER ROOT NAME...: to ROOT/modules, with the order in which /init loads them: each
# before those that need it. What the kernel has built in has no file.
copy_modules() {
  local work=$1 root=$2 module file
  shift 2
  mkdir -p "$root/modules"
  : >"$root/modules/order"
  for module; do
    file=$(find "$work/kernel/lib/modules" -name "$module.ko" -print -quit)
    [[ -n $file ]] || continue
    cp "$file" "$root/modules/"
    echo "$module.ko" >>"$root/modules/order"
  done
}
