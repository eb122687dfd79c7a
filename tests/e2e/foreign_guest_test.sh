#!/usr/bin/env bash
# A guest that is none of ours, pushed as it is: Debian's kernel with busybox becomes healthy and
# is answered by a client, another page switches over with no connection lost, a release whose
# health check never passes takes itself back. Fetches the kernel's package the first time.
LAB=foreign LAB_PORT=18451
. "$(dirname "$0")/lib.sh"

"$root/tests/e2e/guests/linux-web/build.sh" "$build/foreign/linux-web"
fleet 1
fleetctl keys delegate web
cp -r "$build/foreign/linux-web" "$LAB_DIR/web"
cd "$LAB_DIR/web"

first='Hello from Linux, pushed as it is.'
second='Hello again, from another release.'
page() { lab_client curl -sS --max-time 10 http://192.0.2.11:8080/; }
# is_live RELEASE: it is what runs, and well.
is_live() {
  fleetctl ps --json |
    jq -e --argjson release "$1" '[.instances[] | [.app, .release, .healthy]] == [["web", $release, true]]'
}

expect 0 'x86_64' fleetctl inspect vmlinuz
expect 0 'OK  web 1 is live on 1 of 1 device' fleetctl push web --to edge
[[ $(page) == "$first" ]] || die "the client got '$(page)', not '$first'"
ok "the client got the page by the published port"
expect 0 'linux-web: listening on 10\.' fleetctl logs web --device edge-1

# The client fetches the page, one connection after the other, through all that follows.
fetching() { while :; do page || echo lost; sleep 0.1; done >"$LAB_DIR/pages" 2>&1; }
fetching &
LAB_PIDS[fetching]=$!

# An initramfs may be several archives one after the other: the last file of a name counts.
mkdir -p more/www
echo "$second" >more/www/index.html
(cd more && find . | cpio -o -H newc -R 0:0 --quiet | gzip -9n) >>initrd.cpio.gz
expect 0 'OK  web 2 is live on 1 of 1 device' fleetctl push web --to edge
[[ $(page) == "$second" ]] || die "the client got '$(page)', not '$second'"
ok "the client got the new page"

sed -i 's#^\( *\)path: /$#\1path: /no-such-page#; s#^\( *\)deadline: .*#\1deadline: 20s#' manifest.yml
# Silent, should this machine be too busy to boot it before its deadline.
why='wrong answer: http /no-such-page: status 404, not 200|no answer: http /no-such-page'
expect 3 "edge-1 +reverted +2 .*($why), 0 of" fleetctl push web --to edge
is_live 2 >/dev/null || die "not web 2 runs: $(fleetctl ps)"
[[ $(page) == "$second" ]] || die "after the revert the client got '$(page)'"
ok "web 2 runs on and is answered after web 3 took itself back"

lab_stop fetching
others=$(grep -vxF -e "$first" -e "$second" "$LAB_DIR/pages" | head -3) || true
[[ -z $others ]] || die "the client lost connections: $others"
for text in "$first" "$second"; do
  grep -qxF "$text" "$LAB_DIR/pages" || die "the client never got '$text' while it looked on"
done
ok "each of $(wc -l <"$LAB_DIR/pages") connections was answered, through the update and the revert"
echo "$passed passed, 0 failed"
