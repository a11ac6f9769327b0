// Package e2e is what the scripts in this directory can do beyond testscript's
// own commands. Each script is a terminal session with the real binary under
// its four names; see the commands below.
//
//	ready KEY [VAR]            wait for the next part that says it is ready and
//	                           announces KEY; put what it announces into VAR
//	fifo NAME...               make named pipes whose readers are the script
//	waitline NAME REGEXP [VAR] wait for a line in a fifo; put its first group
//	                           into VAR
//	grepenv FILE REGEXP VAR    put the first group of a match into VAR
//	json FILE PATH VAR         put a member of a JSON text, as 0.id, into VAR
//	[!] admin METHOD PATH [BODY]   ask the server at $URL with $ADMIN_TOKEN,
//	                           which is to answer 2xx, or not to
//	enrol AGENT                register an agent's key and log its daemon in, at
//	                           the server with the key $PIN if that is set
//	approve                    approve every request that waits
//	secret PATH VALUE [ID]     keep a secret; put its id into ID
//	pidfile FILE...            wait for processes, by the pids in the files, to
//	                           be gone
//	portof URL VAR             put the port of a URL into VAR
//	listen VAR FILE            listen on loopback, put the address into VAR,
//	                           and count connections into FILE at the end
//	sshd NAME                  start an SSH server on loopback, whose client's
//	                           configuration is NAME.config; NAME.keys is its
//	                           authorized_keys, NAME.hosts a known_hosts
//	signal SIGNAL COMMAND...   send a signal to the newest background command
//	                           that begins with these words
package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long anything awaited may take before the script fails.
const patience = 60 * time.Second

// What scripts start with.
const (
	AdminToken = "e2e-admin-token-0123456789"
	Password   = "e2e operator password"
)

// Params returns how to run the scripts in dir.
func Params(dir string) testscript.Params {
	return testscript.Params{
		Dir: dir, Setup: setup, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "fifo": fifo, "waitline": waitline, "grepenv": grepEnv, "json": jsonMember, "admin": admin,
			"enrol": enrol, "approve": approve, "secret": secret,
			"pidfile": pidfile, "listen": listen, "signal": signalCommand, "portof": portOf,
			"sshd": sshd,
		},
	}
}

// key is the type of the keys in the environment's values.
type key string

// messages carries the readiness messages of a script's parts.
type messages chan map[string]string

func setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	ch, addr, err := listenNotify(env)
	if err != nil {
		return err
	}
	env.Values[key("notify")] = ch
	env.Values[key("fifos")] = map[string]*lines{}
	env.Setenv("HOME", home)
	env.Setenv("NOTIFY_SOCKET", addr)
	env.Setenv("ADMIN_TOKEN", AdminToken)
	env.Setenv("CORTEX_KEK_PASSWORD", Password)
	env.Setenv("CORTEX_KDF_PROFILE", "low")
	env.Setenv("CORTEX_AUDIT_RESERVE", "off")
	env.Setenv("INSECURE_HTTP", "1")
	env.Setenv("DATABASE_URL", "bolt://"+filepath.Join(env.WorkDir, "vault.db"))
	env.Setenv("PORT", "0")
	env.Setenv("CORTEX_RATE_LIMITS", "off")
	env.Setenv("LANG", "C.UTF-8")
	return nil
}

// listenNotify receives sd_notify messages in a directory with a short name:
// the path of a socket must fit into 108 bytes.
func listenNotify(env *testscript.Env) (messages, string, error) {
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		return nil, "", err
	}
	addr := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		return nil, "", err
	}
	env.Defer(func() {
		conn.Close()
		os.RemoveAll(dir)
	})
	ch := make(messages, 64)
	go func() {
		buf := make([]byte, 8192)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m := map[string]string{}
			for line := range strings.Lines(string(buf[:n])) {
				k, v, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
				m[k] = v
			}
			ch <- m
		}
	}()
	return ch, addr, nil
}

func usage(ts *testscript.TestScript, neg, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2, "ready KEY [VAR]")
	deadline := time.After(patience)
	for {
		select {
		case m := <-ts.Value(key("notify")).(messages):
			if v, ok := m[args[0]]; ok && m["READY"] == "1" {
				if len(args) == 2 {
					ts.Setenv(args[1], v)
				}
				return
			}
		case <-deadline:
			ts.Fatalf("nothing that announces %s got ready", args[0])
		}
	}
}
