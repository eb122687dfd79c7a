#!/usr/bin/env bash
# From a source folder to a running guest: the page of images/runtime/README.md word for word, in C++ and
# in C, built and pushed to a real device on spt, and what cannot be built, told so that it can be mended.
LAB=build LAB_PORT=18561
LAB_CONF="allow_kvm = no"
. "$(dirname "$0")/lib.sh"
export FLEET_SDK=$build/sdk
page=$root/images/runtime/README.md
# block LANGUAGE: the page's first block of it.
block() { awk -v fence="\`\`\`$1" '$0 == fence {on = 1; next} /^```/ && on {exit} on' "$page"; }
image_of() { fleetctl releases hello --json | jq -r '.releases[-1].manifest.images[] | select(.platform == "SPT").kernel.sha256'; }
hello() { lab_client curl -fs --max-time 5 http://192.0.2.11:8080/; }

fleet 1
mkdir "$LAB_DIR/work" && cd "$LAB_DIR/work"
mkdir hello
block cpp >hello/main.cc
block yaml >hello/manifest.yml
[[ -s hello/main.cc && -s hello/manifest.yml ]] || die "the page has no C++ and no manifest"

# The page's commands, one after the other, as they stand there; the last line is the answer.
steps=0 status=0
while IFS= read -r line; do
  case $line in
    '$ curl '*) said=$(lab_client bash -c "${line#'$ '} -fs --max-time 5") || die "$line: no answer" ;;
    '$ '*) said=$(bash -c "${line#'$ '}" 2>&1) || die "$line: $said" ;;
    *) [[ $said == "$line" ]] || die "the page promises '$line', not '$said'" ;;
  esac
  steps=$((steps + 1))
done < <(block console)
((steps == 6)) || die "the page has $steps lines of commands and answers"
ok "the page's $((steps - 1)) commands build, push and answer: $said"
for platform in spt hvt virtio; do
  expect 0 "platform +$platform" fleetctl inspect "hello/build/hello.x86_64.$platform"
done
expect 0 'devices +service \(net\), config \(block\)' fleetctl inspect hello/build/hello.x86_64.spt
expect 0 'write_hello.*|main.cc' bash -c "nm -C hello/build/hello.x86_64.spt.debug | grep write_hello"
expect 0 '^edge-1 +hello +1 .*spt' fleetctl ps

# The same sources elsewhere are the same image: a push of it changes nothing but the number.
before=$(image_of)
mkdir -p elsewhere/deeper && cp -r hello elsewhere/deeper/
expect 0 'which is the same but for its number' fleetctl push --path elsewhere/deeper/hello --to edge --plan
expect 0 'OK  hello 2 is live on 1 of 1' fleetctl push hello -f hello/manifest.yml --to edge
[[ $(image_of) == "$before" ]] || die "the same sources became another image"
ok "the same sources are the same bytes, wherever they lie"
sed -i 's/hello, /good day, /' hello/main.cc
(cd hello && expect 0 'OK  hello 3 is live on 1 of 1' fleetctl push --to edge)
[[ $(hello) == 'good day, fleet' ]] || die "the changed source does not answer: $(hello)"
ok "path: . in a folder builds it before each push"

# In C.
mkdir c && cp hello/manifest.yml c/
block c >c/main.c
[[ -s c/main.c ]] || die "the page has no C"
expect 0 'OK  hello 4 is live on 1 of 1' fleetctl push --path c --to edge
[[ $(hello) == 'hello from C' ]] || die "the appliance in C does not answer: $(hello)"
said_three() { fleetctl logs hello --device edge-1 | grep -q 'hello: three seconds'; }
lab_wait 20 said_three || die "its timer never ran: $(fleetctl logs hello --device edge-1)"
ok "the page's C answers, and its timer runs"
sed -i 's/^  path: \./  path: .\n  monitors: [qemu]/' hello/manifest.yml
expect 0 'OK  hello 5 is live on 1 of 1' fleetctl push --path hello --to edge
expect 0 '^edge-1 +hello +5 .*qemu' fleetctl ps
[[ $(hello) == 'good day, fleet' ]] || die "its virtio image does not answer: $(hello)"

# A folder without a manifest: its name and the defaults.
fleetctl keys delegate plain >/dev/null
mkdir plain && cp c/main.c plain/
expect 0 'OK  plain 1 is live on 1 of 1' fleetctl push --path plain --to edge
mkdir 'No name' && cp c/main.c 'No name/'
expect 1 '"No name" is no name for an app.*manifest.yml' fleetctl build 'No name'

# What the manifest names, the images declare; virtio, where the host shows it, takes it as it comes.
mkdir devices && cp c/main.c devices/
cat >devices/manifest.yml <<'YAML'
version: 1
applications:
- name: many
  path: .
  volumes: [{name: cache, size: 2M}]
  devices: [{name: serial, host: none, as: console}]
  network: [{name: wan}, {name: lan, address: none, bridge: br0}]
YAML
expect 0 'x86_64/spt' fleetctl build devices
[[ $(ls devices/build) == "$(printf 'many.x86_64.%s\n' {hvt,spt,virtio}{,.debug})" ]] || die "built: $(ls devices/build)"
expect 0 'wan \(net\), lan \(net\), serial \(net\), cache \(block\), config \(block\)' fleetctl inspect devices/build/many.x86_64.hvt
expect 0 'many +built from devices/.' fleetctl manifest check devices/manifest.yml

# Where it goes, and as JSON.
expect 0 'one.img' fleetctl build hello --platform spt -o one.img
expect 0 "$(sha256sum <one.img | cut -d' ' -f1)" fleetctl build hello --platform spt -o out/ --json
cmp -s one.img out/hello.x86_64.spt || die "-o changes the image"

# What does not compile is told by file and line, and leaves the last good images alone.
sum=$(cat hello/build/* | sha256sum)
sed 's/print("hello: list/prnt("hello: list/' hello/main.cc >broken && mv broken hello/main.cc
expect 1 'hello/main.cc:[0-9]+:[0-9]+: error: .*prnt' fleetctl build hello
expect 1 'error: hello/main.cc does not compile; nothing was written' fleetctl push --path hello --to edge
[[ $(cat hello/build/* | sha256sum) == "$sum" ]] || die "a broken source changed hello/build"
[[ $(fleetctl releases hello --json | jq '[.releases[].number | tonumber] | max') == 5 ]] || die "a broken source was signed"
mkdir nomain && echo 'int nothing;' >nomain/a.c
expect 1 'C int fleet_main\(void\): images/runtime/README.md' fleetctl build nomain
[[ ! -e nomain/build ]] || die "what does not link left a folder"
mkdir empty
expect 1 'nothing to compile in empty' fleetctl build empty
expect 1 'nowhere: there is no such folder' fleetctl build nowhere
expect 1 'install it:  apt install g\+\+' env PATH=/nonexistent "$build/bin/fleetctl" build c
mkdir half && ln -s "$build"/sdk/{include,x86_64} half/
FLEET_SDK=$PWD/half expect 1 'makes no image for aarch64; it has x86_64/' fleetctl build c --arch aarch64
expect 0 'aarch64/spt' fleetctl build c --arch aarch64
expect 0 'aarch64' fleetctl inspect c/build/hello.aarch64.spt
expect 0 'Unifleet, arm64 Image' fleetctl inspect c/build/hello.aarch64.virtio
expect 1 'platform xen is not known; one of spt, hvt, virtio' fleetctl build c --platform xen
FLEET_SDK=$LAB_DIR/none expect 1 'say where it is with --sdk FOLDER or FLEET_SDK' fleetctl build c
expect 1 'matches none of 1 device' fleetctl push --path c --to nobody
[[ -z $(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'fleetctl-build-*' -newer "$LAB_DIR/passphrase") ]] || die "objects were left behind"
ok "nothing is left behind"
echo "$passed passed, 0 failed"
