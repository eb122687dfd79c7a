#!/usr/bin/env bash
# The quickstart as its reader would run it, and that nothing is left behind.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export LAB=story LAB_PORT=18443
said=$("$root/deploy/quickstart.sh" --once --no-build 2>&1) || { echo "$said"; exit 1; }
echo "$said"
want() { grep -qE -- "$1" <<<"$said" || { echo "not ok - the story does not say: $1" >&2; exit 1; }; }
want 'OK  dns 1 is live on 3 of 3 devices'
want 'FAILED  dns 2: 0 healthy, 3 reverted'
want 'FAILED  dns 3: 0 healthy, 3 reverted'
want 'no answer'
want 'listening on .*:5353'
want 'OK  dns 4 is live on 3 of 3 devices'
want 'edge-3, source port 5303: [0-9]+ answered, 0 lost'
ip netns list | grep "^$LAB-" && { echo "not ok - namespaces are left" >&2; exit 1; }
pgrep -f "/var/tmp/story\." && { echo "not ok - processes are left" >&2; exit 1; }
compgen -G '/var/tmp/story.*' && { echo "not ok - files are left" >&2; exit 1; }
echo "ok - nothing is left"
