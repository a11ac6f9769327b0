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
as alice cortex daemon status | grep '^login: *agent bot at http://127.0.0.1:3000, with a proof of its key$'
as alice cortex daemon status --json | grep '"logged_in":true.*"proved":true'

as alice mkdir -m 755 work
as alice sh -c 'echo OPENAI_API_KEY= > work/.env'
refused as alice cortex run --project app -- true # its user may not enter the home directory
refused run true
await cortex grant approve app

# Programs are somebody else, in the caller's directory.
[[ $(run id) =~ ^uid=[0-9]+\((cortex-run-[1-8])\)\ gid=[0-9]+\((cortex-run-[1-8])\)\ groups=[0-9]+\(cortex-run-[1-8]\),[0-9]+\(cortex-run\)$ && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]] || fail "programs are none of cortex-run: $(run id)"
[[ $(run sh -c 'printenv OPENAI_API_KEY | tr a-z A-Z') == SK-NSPAWN-CANARY ]] || fail "the value did not arrive"
[[ $(run printenv OPENAI_API_KEY) == '‹cortex:OPENAI_API_KEY›' ]] || fail "it is not masked"
home=$(run sh -c 'cat .env; echo "$HOME $USER $(mktemp)" > /dev/stdout; touch "$HOME/file"; cat')
[[ $home =~ ^OPENAI_API_KEY=.(/var/lib/(cortex-run-[1-8]))\ (.*)\ (.*)/tmp/tmp.*$ && ${BASH_REMATCH[2]} == "${BASH_REMATCH[3]}" && ${BASH_REMATCH[1]} == "${BASH_REMATCH[4]}" ]] || fail "the program is not at home: $home"
[[ $(echo hello | run cat) == hello ]] || fail "nothing comes through"
status=0; run sh -c 'exit 7' || status=$?; [[ $status == 7 ]] || fail "exit status $status"
status=0; run sh -c 'kill -TERM $$' || status=$?; [[ $status == 143 ]] || fail "exit status $status"

# A terminal is one for them, too.
at=/home/alice/work as alice script --quiet --return --command "cortex run --project app -- sh -c 'test -t 0 && echo to the terminal > /dev/tty; echo \$OPENAI_API_KEY; exit 5'" /dev/null >/tmp/typescript </dev/null || status=$?
[[ $status == 5 ]] && grep 'to the terminal' /tmp/typescript && grep '‹cortex:OPENAI_API_KEY›' /tmp/typescript || { cat /tmp/typescript; fail "no terminal"; }
# Its terminal and its pipes are such that it can open them by their names.
at=/home/alice/work as alice script --quiet --return --command "cortex run --project app -- sh -c 'echo by name > \$(tty); echo again > /dev/stdout; stat -c owner=%U \$(tty)'" /dev/null >/tmp/names </dev/null
grep 'by name' /tmp/names && grep '^again' /tmp/names && grep '^owner=cortex-run' /tmp/names || { cat /tmp/names; fail "a terminal that cannot be opened"; }
[[ $(at=/home/alice/work as alice sh -c 'echo text | cortex run --project app -- cat /dev/stdin | cat') == text ]] || fail "a pipe that cannot be opened"
[[ $(at=/home/alice/work as alice bash -c 'cortex run --project app -- diff <(echo one) <(echo two)') == *'> two' ]] || fail "pipes beyond the standard streams that cannot be opened"
at=/home/alice/work as alice sh -c 'cortex run --project app -- sh -c "echo text > /dev/stdout; echo text > /dev/stderr" 2>&1 | cat' | grep -c text | grep 2 || fail "output that cannot be opened"

# A value in a file, in an argument and on standard input.
asks() { at=/home/alice/work as alice cortex run --project app "$@"; }
[[ $(asks --file OPENAI_API_KEY=KEY -- sh -c 'readlink "$1"; tr a-z A-Z <"$KEY"; cat "$KEY"; id -un >&2' sh --key={{KEY}} 2>/dev/null) == 'SK-NSPAWN-CANARY‹cortex:OPENAI_API_KEY›' ]] || fail "no file"
[[ $(asks --file OPENAI_API_KEY=KEY -- sh -c 'tr a-z A-Z <"$1"; echo more >>"$1" || echo refused' sh {{KEY}} 2>/dev/null) == SK-NSPAWN-CANARYrefused ]] || fail "no path in an argument"
[[ $(echo "the caller's" | asks --stdin OPENAI_API_KEY -- tr a-z A-Z) == SK-NSPAWN-CANARY ]] || fail "no standard input"
printf 'key = {{OPENAI_API_KEY}}' | cortex secret create app/config --type TEMPLATE_CONFIG --value-file - >/dev/null
refused asks --template app/config=CONFIG --template-file CONFIG=app.conf -- true
grep 'cortex project settings app --template-files allow' /tmp/out
cortex project settings app --template-files allow >/dev/null
refused asks --template app/config=CONFIG --template-file CONFIG=app.conf -- true # where its user may not write
grep 'app.conf: permission denied' /tmp/out
setfacl -m g:cortex-run:rwx /home/alice/work 2>/dev/null || { as alice chmod 777 work; }
[[ $(asks --template app/config=CONFIG --template-file CONFIG=app.conf -- sh -c 'stat -c %a:%U app.conf; tr a-z A-Z <"$CONFIG"') =~ ^600:cortex-run-[1-8].KEY\ =\ SK-NSPAWN-CANARY$ ]] || fail "no file on a disk"
refused asks --template app/config=CONFIG --template-file CONFIG=app.conf -- sh -c 'kill -9 $PPID; sleep 1000'
[[ ! -e /home/alice/work/app.conf ]] || fail "a file on a disk is left"
cortex audit list --action get_config --json | grep '"path":"/home/alice/work/app.conf","decision":"exposed"' >/dev/null
[[ $(echo "the key is sk-nspawn-canary" | as alice cortex redact --project app) == 'the key is ‹cortex:OPENAI_API_KEY›' ]] || fail "a log is not masked"
at=/home/alice/work as alice cortex doctor >/tmp/doctor || { cat /tmp/doctor; fail "something is wrong"; }

# What an attacker may try comes to what the threat model says.
at=/home/alice/work as alice cortex doctor --attack --json -- sleep 1000 >/tmp/attack || { cat /tmp/attack; fail "more got through than the threat model says"; }
attacked /tmp/attack printed-value=limited printed-otherwise=open mask-off=stopped environ=stopped command-memory=stopped command-files=stopped monitor-memory=stopped \
	daemon-memory=stopped core-dump=stopped preload=stopped agent-key=stopped socket-taken-over=stopped daemon-replaced=stopped spawner=stopped command-asks-daemon=stopped \
	command-reads-key=stopped command-reads-other=stopped process-left-behind=stopped monitor-killed=stopped launcher-killed=stopped files-left-behind=stopped/untried \
	other-server=stopped type-into-shell=stopped
refused as bob cortex doctor --attack --sock /run/cortex/agent.sock

# Whatever compiles as it runs has to run.
run /usr/bin/python3 -c 1
run /usr/bin/python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ|mmap.PROT_WRITE|4)'
run cortex --version
run perl -e 1
run node -e 1
run node -e 'for (let i = 0, x = 0; i < 1e7; i++) x += i'
[[ $(run luajit -e 'local x = 0; for i = 1, 1e7 do x = x + i end; print(require("jit.util").traceinfo(1) and x)') == 50000005000000 ]] || fail "nothing is compiled"

# Who gets what: the key, the sockets, and what a program has in its environment.
refused as alice sh -c 'cat /var/lib/cortex-daemon/*.key'
refused as cortex-run-1 sh -c 'cat /var/lib/cortex-daemon/*.key'
refused as bob cortex run --project app -- true
refused as cortex-run-1 cortex run --sock /run/cortex/agent.sock --project app -- true
refused run cortex run --sock /run/cortex/agent.sock --project app -- true
for user in alice bob cortex-run-1; do
	refused as $user python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("/run/cortex-spawner/1.sock")'
done
printf '%s\n' '{"cmd":"run","program":"true","project":"app","env_file":"/var/lib/cortex-daemon/daemon-session.json"}' > /tmp/request
as alice python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect("/run/cortex/agent.sock"); s.send(open("/tmp/request","rb").read()); print(s.recv(9999))' | grep 'reads no files of yours'
mkfifo -m 666 /tmp/up
# begin COMMAND... starts a run that writes a line to /tmp/up, its process id first.
begin() {
	run sh -c 'echo $$ > /tmp/up; (setsid sleep 1000 &); exec sleep 1000' &
	launcher=$!
	read -r pid </tmp/up
	user=$(stat --format=%U /proc/"$pid")
}
begin
[[ $user == cortex-run-* ]]
spawner() { pgrep --uid "$user" --full '^cortex-spawner'; }
grep -H . /proc/"$(spawner)"/status | grep -E 'Cap(Prm|Eff|Bnd|Amb):\s0000000000000000' | grep -c . | grep -x 4
refused as alice cat /proc/"$pid"/environ
refused as bob cat /proc/"$pid"/environ
refused as alice kill "$pid"
# Nor does another program get to see it, or to end it: it is somebody else.
refused run cat /proc/"$pid"/environ
refused run kill "$pid"
refused run ls "/var/lib/$user"
as "$user" head -c 1 /proc/"$pid"/environ >/dev/null
for _ in {1..20}; do [[ $(run id -un) != "$user" ]] || fail "$user is somebody twice"; done

# What a program leaves behind is killed, when the launcher is killed,
gone() { ! pgrep --uid "$user" sleep >/dev/null; }
ended() { wait "$launcher" || true; await gone; }
end() { kill "${1--TERM}" "$(pgrep --oldest --uid alice --exact cortex)"; }
end -9
ended
# also when it has killed its monitor before,
run sh -c 'id -un > /tmp/up; (setsid sh -c "sleep 1000" &); kill -9 $PPID; sleep 1000' & launcher=$!
read -r user </tmp/up
ended
# and when the daemon
begin
kill -9 "$(systemctl show --property=MainPID --value cortex-daemon)"
ended
await run true 2>/dev/null
# or the spawner is, and this at once when it is told to end.
begin
kill -9 "$(spawner)"
ended
begin
began=$(date +%s%N)
kill "$(spawner)"
wait $launcher || true
(($(date +%s%N) - began < 3000000000)) || fail "a spawner takes its time"
ended
await run true 2>/dev/null
# One that has stopped both hears of none of that, but the system's systemd does not
# hear of the spawner either: when the launcher is killed,
stopped() {
	run sh -c 'read -r _ _ _ spawner _ </proc/$PPID/stat; kill -STOP $spawner $PPID; (setsid sleep 1000 &); id -un > /tmp/up; exec sleep 1000' & launcher=$!
	read -r user </tmp/up
}
in_time() { (($(date +%s) - began < 20)) || fail "it took $(($(date +%s) - began)) seconds"; }
began=$(date +%s)
stopped
end -9
ended
in_time
# when nobody does anything, which the launcher hears of,
began=$(date +%s)
stopped
wait $launcher && fail "it has ended well"
await gone
in_time
# when the daemon is told to end, or killed.
for how in TERM KILL; do
	began=$(date +%s)
	stopped
	systemctl kill --kill-whom=main --signal=$how cortex-daemon
	ended
	in_time
	systemctl start cortex-daemon
	await run true 2>/dev/null
done
journalctl --no-pager --unit 'cortex-spawner@*' | grep -c 'Watchdog timeout' | grep -x 4

# Nothing is left in a home, whatever the program did about that, nor what its user
# runs elsewhere.
left() { find /var/lib/cortex-run-* -mindepth 1 ! -path '*/tmp' | head -3; }
run sh -c 'cd && echo value > file && mkdir -p a/b && echo value > a/b/c && ln -s /etc/passwd a/link && chmod 0 a/b a && chmod 555 .'
clean() { [[ -z $(left) ]]; }
await clean
[[ -s /etc/passwd && $(stat --format=%a /var/lib/cortex-run-1) == 700 ]] || fail "it went too far"
for n in {1..8}; do as "cortex-run-$n" sh -c 'echo old > ~/old; exec tail -f /dev/null' 2>/dev/null & done
for n in {1..8}; do await pgrep --uid "cortex-run-$n" tail >/dev/null; done
run true # by the spawner that was ready before
begin
! as "$user" test -e "/var/lib/$user/old" || fail "a home is not emptied"
! pgrep --uid "$user" tail || fail "something of another run is left"
end
ended
for n in {1..8}; do pkill -KILL --uid "cortex-run-$n" tail || true; done

# A program has an SSH agent for itself, and nobody else has.
ssh-keygen -q -t ed25519 -N '' -f /tmp/host
mkdir -p /run/sshd /home/bob/.ssh
printf '[127.0.0.1]:2222 %s\n' "$(cut -d' ' -f1,2 /tmp/host.pub)" > /tmp/known
chmod 644 /tmp/known
cortex secret create deploy_key --type SSH_KEY --generate ed25519-ssh --known-hosts /tmp/known >/dev/null
cortex secret public-key deploy_key > /home/bob/.ssh/authorized_keys
chown -R bob /home/bob/.ssh; usermod -p '*' bob
/usr/sbin/sshd -f /dev/null -h /tmp/host -p 2222 -o ListenAddress=127.0.0.1 -o PidFile=none -o UsePAM=no
login_with='ssh -q -F none -p 2222 -o UserKnownHostsFile=/tmp/known -o StrictHostKeyChecking=yes -o BatchMode=yes bob@127.0.0.1 id -un'
asks --ssh DEPLOY_KEY -- true || true
cortex grant approve app
[[ $(asks --ssh DEPLOY_KEY -- $login_with) == bob ]] || fail "no log-in"
asks --ssh DEPLOY_KEY -- sh -c 'echo $SSH_AUTH_SOCK > /tmp/up; exec sleep 1000' 2>/tmp/says & launcher=$!
read -r sock </tmp/up
await pgrep sleep >/dev/null
user=$(stat --format=%U /proc/"$(pgrep --newest sleep)")
[[ $(stat --format=%A "$(dirname "$sock")") == drwx--x--- ]] || fail "its directory is open"
for other in alice bob cortex-run-1 cortex-run-2 cortex-run-3; do
	if [[ $other != "$user" ]]; then refused as $other SSH_AUTH_SOCK="$sock" ssh-add -l; fi
done
refused asks -- env SSH_AUTH_SOCK="$sock" ssh-add -l
SSH_AUTH_SOCK=$sock refused ssh-add -l
refused as "$user" SSH_AUTH_SOCK="$sock" ssh-add -l # of its user, and no part of it
said() { grep -q 'was asked by another process' /tmp/says; }
await said
end
ended
[[ ! -e $sock ]] || fail "the agent is left"

# As many programs as there are users, and then a word about it.
cortex install daemon --isolated --run-users 2
await run true 2>/dev/null
begin
refused run true
grep 'uid [0-9]* runs as many programs as one caller may (1): there are 2 users for the programs of all' /tmp/out
grep 'hint: wait for one to end, or have root make more users: sudo cortex install daemon --isolated --run-users N' /tmp/out
(sleep 1; end) &
run true # waits for that
ended

for unit in cortex-daemon cortex-spawner@1; do systemd-analyze security --no-pager $unit | tail -1; done
cortex install daemon --isolated --uninstall
[[ ! -e /run/cortex && ! -e /run/cortex-spawner/1.sock && ! -e /etc/systemd/system/cortex-daemon.service && ! -e /etc/sysusers.d/cortex.conf ]] || fail "something is left"
[[ -e /var/lib/cortex-daemon ]] || fail "the key is gone"
[[ -z $(systemctl list-units --all --no-legend 'cortex-spawner@*') ]] || fail "a spawner is left"
