# Debian's cloud kernel for guests of the tests; sourced.

# for_arm64 FOLDER COMMAND...: apt for ARM64's packages with lists of its own in FOLDER, so that the
# machine keeps its one architecture.
for_arm64() {
  local state=$1 program=$2
  shift 2
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  "$program" -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::Lists=$state/lists" \
    -o "Dir::Cache=$state/cache" -o APT::Sandbox::User=root "$@"
}

# unpack_cloud_kernel FOLDER [arm64]: the kernel's package below FOLDER/kernel; nothing is installed
unpack_cloud_kernel() {
  local work=$1 cpu=${2:-amd64} kernel
  local -a get=(apt-get) cache=(apt-cache)
  if [[ $cpu == arm64 ]]; then
    get=(for_arm64 "$work/apt" apt-get) cache=(for_arm64 "$work/apt" apt-cache)
    "${get[@]}" -qq update
  fi
  kernel=$("${cache[@]}" depends --important "linux-image-cloud-$cpu" |
    awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }')
  if [[ -z $kernel ]]; then
    echo "error: apt knows no linux-image-cloud-$cpu; run: apt-get update" >&2
    return 1
  fi
  (cd "$work" && "${get[@]}" -o APT::Sandbox::User=root -qq download "$kernel")
  dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
}

# unpack_arm64 FOLDER PACKAGE...: ARM64's packages below FOLDER/static, by the lists that
# unpack_cloud_kernel fetched there.
unpack_arm64() {
  local work=$1 package
  shift
  for package; do
    (cd "$work" && for_arm64 "$work/apt" apt-get -qq download "$package")
    dpkg-deb -x "$work/$package"_*.deb "$work/static"
  done
}

# copy_modules FOLDER ROOT NAME...: with what they need, to ROOT/modules, and the order in which
# /init loads them. What the kernel has built in has no file.
copy_modules() {
  local work=$1 root=$2 name
  shift 2
  mkdir -p "$root/modules"
  touch "$root/modules/order"
  for name; do copy_module "$work" "$root" "${name//-/_}" || return 1; done
}
copy_module() {
  local work=$1 root=$2 name=$3 file needs
  ! grep -qx "$name.ko" "$root/modules/order" || return 0
  file=$(find "$work/kernel/lib/modules" -name "${name//_/[-_]}.ko" -print -quit)
  if [[ -z $file ]]; then
    grep -q "/${name//_/[-_]}.ko$" "$work"/kernel/lib/modules/*/modules.builtin && return 0
    echo "error: the kernel has no module $name" >&2
    return 1
  fi
  needs=$(tr '\0' '\n' <"$file" | grep -a '^depends=') || needs=
  needs=${needs#depends=}
  for needs in ${needs//,/ }; do copy_module "$work" "$root" "${needs//-/_}" || return 1; done
  cp "$file" "$root/modules/$name.ko"
  echo "$name.ko" >>"$root/modules/order"
}
