#!/usr/bin/env bash
# Completion in a real bash: commands and flags as they are, devices, groups, labels, apps, releases and
# rollouts as the controller knows them; silence, and soon, when nobody answers or nobody logged in.
port=18552 device_port=18553
. "$(dirname "$0")/controller_alone.sh"
url=https://localhost:$port
umask 077
echo 'four words of nonsense' >"$FLEET_PASSPHRASE_FILE"
fleet-controller init --data-dir "$work/controller" --hostname localhost >"$work/init.log"
cp "$work/controller/admin.token" "$work/controller/ca.pem" "$work"
serve
fleetctl login "$url" --token-file "$work/admin.token" --ca "$work/ca.pem" >/dev/null 2>&1
fleetctl keys init --second-copy "$work/second" >/dev/null
fleetctl keys delegate dns >/dev/null
for device in edge-1:lyon:edge edge-2:paris:edge lab-1:lyon:lab; do
  IFS=: read -r name site group <<<"$device"
  fleetctl enroll-token --group "$group" --label "site=$site" -o "$work/$name.boot" >/dev/null
  mkdir "$work/$name"
  fleet-agent enroll --bootstrap "$work/$name.boot" --state-dir "$work/$name" --name "$name" >/dev/null
done
dns_app
fleetctl push dns --to edge --detach >/dev/null
fleetctl token create ana --role viewer --group lab -o "$work/ana.token" >/dev/null

# completes LINE WORDS: a Tab at the end of LINE offers these words, as bash would put them there.
cat >"$work/tab" <<'TAB'
source <(fleetctl completion bash)
[[ $(complete -p fleetctl) == *"-F _fleetctl fleetctl" ]] || exit 1
COMP_LINE=$1 COMP_POINT=${#1}
# Cut as bash does it: at each = and : too.
mapfile -t COMP_WORDS < <(sed -E 's/([=:])/ \1 /g' <<<"$1" | tr -s ' ' '\n' | sed '/^$/d')
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_fleetctl
printf '%s\n' "${COMPREPLY[@]}" | sort
TAB
completes() {
  local got
  got=$(bash --norc "$work/tab" "$1" 2>"$work/tab.err" | tr '\n' ' ')
  [[ -s $work/tab.err ]] && die "completing '$1' says: $(<"$work/tab.err")"
  got=${got% }
  [[ $got == "$2" ]] || die "completing '$1' offers '$got', not '$2'"
  ok "$1<Tab> offers ${2:-nothing}"
}
completes 'fleetctl pus' push
completes 'fleetctl rollout a' abort
completes 'fleetctl push --require' --require-all
completes 'fleetctl comp' completion
completes 'fleetctl cat' catalog
completes 'fleetctl build --plat' --platform
completes 'fleetctl push --pa' '--passphrase-file --path'
completes 'fleetctl catalog copy ' 'dns firewall sensor'
completes 'fleetctl device show e' 'edge-1 edge-2'
completes 'fleetctl device label edge-1 ' ''
completes 'fleetctl push ' dns
completes 'fleetctl push dns --to ' 'all edge edge-1 edge-2 lab lab-1 site=lyon site=paris'
completes 'fleetctl push dns --to site=l' lyon
completes 'fleetctl push --to edge-1 d' dns
completes 'fleetctl logs dns --device lab' lab-1
completes 'fleetctl yank dns ' 1
completes 'fleetctl rollback dns --release ' 1
completes 'fleetctl rollout show r' r-1
completes 'fleetctl --context localhost device show lab' lab-1
completes 'fleetctl enroll-token --group l' lab
completes 'fleetctl token revoke ' ''
completes 'fleetctl inspect ' ''
completes 'fleetctl why edge-1 ' dns

# A token of a group is offered what it sees.
fleetctl --context lab login "$url" --token-file "$work/ana.token" --ca "$work/ca.pem" >/dev/null 2>&1 ||
  die "ana cannot log in"
export FLEET_CONTEXT=lab
completes 'fleetctl device show ' lab-1
unset FLEET_CONTEXT

# In a shell that is used as people use it.
typed=$(printf 'source <(fleetctl completion bash)\nfleetctl device show lab\t\n' |
  PS1='$ ' TERM=dumb bash --norc -i 2>&1 || true)
grep -q '^  *lab-1\|lab-1  (' <<<"$typed" || die "a Tab in an interactive shell does nothing: $typed"
ok "a Tab in an interactive shell writes the name"

# Nobody answers: silence, at once; a controller that accepts and says nothing: soon.
stop_controller
completes 'fleetctl device show ' ''
python3 -c '
import socket, time
s = socket.create_server(("127.0.0.1", int("'"$port"'")))
time.sleep(60)' &
deaf=$!
trap 'status=$?; trap - EXIT; kill $deaf 2>/dev/null; stop_controller; rm -rf "$work"; exit $status' EXIT
for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.1; done
expect 0 '^$' timeout 20 fleetctl complete --what devices --begun ''
export FLEET_HOME=$work/nobody
completes 'fleetctl device show ' ''
completes 'fleetctl catalog copy s' sensor
expect 0 '^$' fleetctl complete --what apps --begun ''
[[ ! -e $FLEET_HOME ]] || die "completing made a home"
echo "$passed passed, 0 failed"
