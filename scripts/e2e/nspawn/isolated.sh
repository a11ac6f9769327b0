#!/bin/bash
. /usr/local/bin/vault.sh

useradd --create-home alice # may use the daemon
useradd --create-home bob   # may not
chmod 700 /home/alice
as() {
	local home; home=$(getent passwd "$1" | cut -d: -f6)
	runuser -u "$1" -- env --chdir="${at-$home}" HOME="$home" "${@:2}"
}
daemon() { as cortex-daemon CORTEX_HOME=/var/lib/cortex-daemon "$@"; }
run() { at=/home/alice/work as alice cortex run --project app -- "$@"; }
refused() { if "$@" >/tmp/out 2>&1; then fail "not refused: $*"; fi; cat /tmp/out; }

refused as alice cortex install daemon --isolated
cortex install daemon --isolated
usermod --append --groups cortex alice
cortex install daemon --isolated 2>&1 | grep -c '^cortex: unchanged: \|^unchanged: ' | grep -x 4
login daemon
as alice cortex daemon status | grep '^login: *agent bot at http://127.0.0.1:3000$'

as alice mkdir -m 755 work
as alice sh -c 'echo OPENAI_API_KEY= > work/.env'
refused as alice cortex run --project app -- true # its user may not enter the home directory
refused run true
await cortex grant approve app

# Programs are somebody else, in the caller's directory.
[[ $(run id) == "uid=$(id -u cortex-run)(cortex-run) gid=$(id -g cortex-run)(cortex-run) groups=$(id -g cortex-run)(cortex-run)" ]] || fail "programs are not cortex-run"
[[ $(run sh -c 'printenv OPENAI_API_KEY | tr a-z A-Z') == SK-NSPAWN-CANARY ]] || fail "the value did not arrive"
[[ $(run printenv OPENAI_API_KEY) == '‹cortex:OPENAI_API_KEY›' ]] || fail "it is not masked"
[[ $(run sh -c 'cat .env; echo "$HOME $USER" > /dev/stdout; touch "$HOME/file"; cat') == $'OPENAI_API_KEY=\n/var/lib/cortex-run cortex-run' ]] || fail "the program is not at home"
[[ $(echo hello | run cat) == hello ]] || fail "nothing comes through"
grep -H . /proc/"$(systemctl show --property=MainPID --value cortex-spawner)"/status | grep -E 'Cap(Prm|Eff|Bnd|Amb):\s0000000000000000' | grep -c . | grep -x 4
status=0; run sh -c 'exit 7' || status=$?; [[ $status == 7 ]] || fail "exit status $status"
status=0; run sh -c 'kill -TERM $$' || status=$?; [[ $status == 143 ]] || fail "exit status $status"

# A terminal is one for them, too.
at=/home/alice/work as alice script --quiet --return --command "cortex run --project app -- sh -c 'test -t 0 && echo to the terminal > /dev/tty; echo \$OPENAI_API_KEY; exit 5'" /dev/null >/tmp/typescript </dev/null || status=$?
[[ $status == 5 ]] && grep 'to the terminal' /tmp/typescript && grep '‹cortex:OPENAI_API_KEY›' /tmp/typescript || { cat /tmp/typescript; fail "no terminal"; }
at=/home/alice/work refused as alice cortex run --project app --ssh OPENAI_API_KEY -- true
grep 'no SSH agent' /tmp/out
[[ $(echo "the key is sk-nspawn-canary" | as alice cortex redact --project app) == 'the key is ‹cortex:OPENAI_API_KEY›' ]] || fail "a log is not masked"
at=/home/alice/work as alice cortex doctor >/tmp/doctor || { cat /tmp/doctor; fail "something is wrong"; }

# What an attacker may try comes to what the threat model says.
at=/home/alice/work as alice cortex doctor --attack --json -- sleep 1000 >/tmp/attack || { cat /tmp/attack; fail "more got through than the threat model says"; }
attacked /tmp/attack printed-value=limited printed-otherwise=open mask-off=stopped environ=stopped command-memory=stopped command-files=stopped monitor-memory=stopped \
	daemon-memory=stopped core-dump=stopped preload=stopped agent-key=stopped socket-taken-over=stopped daemon-replaced=stopped spawner=stopped command-asks-daemon=stopped \
	command-reads-key=stopped command-reads-other=open process-left-behind=stopped monitor-killed=stopped launcher-killed=stopped files-left-behind=stopped \
	other-server=stopped type-into-shell=stopped ssh-agent-used=stopped
refused as bob cortex doctor --attack --sock /run/cortex/agent.sock

# Whatever compiles as it runs has to run.
run /usr/bin/python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ|mmap.PROT_WRITE|4)'
run cortex --version
if command -v node; then run node -e 'for (let i = 0, x = 0; i < 1e7; i++) x += i'; fi
if command -v java; then run java -version; fi

# Who gets what: the key, the sockets, and what a program has in its environment.
refused as alice sh -c 'cat /var/lib/cortex-daemon/*.key'
refused as cortex-run sh -c 'cat /var/lib/cortex-daemon/*.key'
refused as bob cortex run --project app -- true
refused as cortex-run cortex run --sock /run/cortex/agent.sock --project app -- true
refused run cortex run --sock /run/cortex/agent.sock --project app -- true
for user in alice bob cortex-run; do
	refused as $user python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/cortex-spawner.sock")'
done
printf '%s\n' '{"cmd":"run","program":"true","project":"app","env_file":"/var/lib/cortex-daemon/daemon-session.json"}' > /tmp/request
as alice python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect("/run/cortex/agent.sock"); s.send(open("/tmp/request","rb").read()); print(s.recv(9999))' | grep 'reads no files of yours'
mkfifo -m 666 /tmp/up
run sh -c 'echo $$ > /tmp/up; (setsid sleep 1000 &); exec sleep 1000' &
read -r pid </tmp/up
[[ $(stat --format=%U /proc/"$pid") == cortex-run ]]
refused as alice cat /proc/"$pid"/environ
refused as bob cat /proc/"$pid"/environ
refused as alice kill "$pid"

# What a program leaves behind is killed, when the launcher is killed,
gone() { ! pgrep --uid cortex-run sleep >/dev/null; }
kill -9 "$(pgrep --uid alice --exact cortex)"
wait $! || true
await gone
# also when it has killed its monitor before,
run sh -c '(setsid sh -c "sleep 1000" &); kill -9 $PPID; sleep 1000' || true
await gone
# and when the daemon
run sh -c 'echo > /tmp/up; (setsid sleep 1000 &); exec sleep 1000' &
read -r </tmp/up
kill -9 "$(systemctl show --property=MainPID --value cortex-daemon)"
wait $! || true
await gone
await run true 2>/dev/null
# or the spawner is.
run sh -c 'echo > /tmp/up; (setsid sleep 1000 &); exec sleep 1000' &
read -r </tmp/up
kill -9 "$(systemctl show --property=MainPID --value cortex-spawner)"
wait $! || true
await gone
await run true 2>/dev/null

for unit in cortex-daemon cortex-spawner; do systemd-analyze security --no-pager $unit | tail -1; done
cortex install daemon --isolated --uninstall
[[ ! -e /run/cortex && ! -e /run/cortex-spawner.sock && ! -e /etc/systemd/system/cortex-daemon.service && ! -e /etc/sysusers.d/cortex.conf ]] || fail "something is left"
[[ -e /var/lib/cortex-daemon ]] || fail "the key is gone"
