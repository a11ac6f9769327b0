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
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

// lines is what was written into a fifo.
type lines struct {
	ch chan string
}

func fifo(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "fifo NAME...")
	for _, name := range args {
		path := ts.MkAbs(name)
		ts.Check(syscall.Mkfifo(path, 0o600))
		// Open for both, so that neither side waits for the other and the end
		// of one writer is not the end.
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		ts.Check(err)
		ts.Defer(func() { f.Close() })
		l := &lines{make(chan string, 10000)}
		ts.Value(key("fifos")).(map[string]*lines)[name] = l
		go func() {
			s := bufio.NewScanner(f)
			for s.Scan() {
				l.ch <- s.Text()
			}
		}()
	}
}

func waitline(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "waitline NAME REGEXP [VAR]")
	l, ok := ts.Value(key("fifos")).(map[string]*lines)[args[0]]
	if !ok {
		ts.Fatalf("%s is not a fifo", args[0])
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	deadline := time.After(patience)
	for {
		select {
		case line := <-l.ch:
			ts.Logf("%s: %s", args[0], line)
			m := re.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			if len(args) == 3 {
				ts.Setenv(args[2], m[len(m)-1])
			}
			return
		case <-deadline:
			ts.Fatalf("no line in %s matches %s", args[0], args[1])
		}
	}
}

func grepEnv(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "grepenv FILE REGEXP VAR")
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	m := re.FindStringSubmatch(ts.ReadFile(args[0]))
	if len(m) != 2 {
		ts.Fatalf("%s does not match %s with one group", args[0], args[1])
	}
	ts.Setenv(args[2], m[1])
}

func jsonMember(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "json FILE PATH VAR")
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	ts.Setenv(args[2], member(ts, v, args[1]))
}

func member(ts *testscript.TestScript, v any, path string) string {
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(at) {
				ts.Fatalf("no member %s", path)
			}
			v = at[n]
		default:
			ts.Fatalf("no member %s", path)
		}
	}
	return fmt.Sprint(v)
}

func admin(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: admin METHOD PATH [BODY]")
	}
	var body string
	if len(args) == 3 {
		body = args[2]
	}
	status, answer := ask(ts, args[0], args[1], body)
	if good := status/100 == 2; good == neg {
		ts.Fatalf("%s %s: %d %s", args[0], args[1], status, answer)
	}
	fmt.Fprintf(ts.Stdout(), "%s\n", answer)
}

// ask sends a request to the server at $URL.
func ask(ts *testscript.TestScript, method, path, body string) (int, []byte) {
	req, err := http.NewRequest(method, ts.Getenv("URL")+path, strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("X-Admin-Token", ts.Getenv("ADMIN_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	// The script is on the server's side: it need not ask whether that is the one.
	trusting := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer trusting.CloseIdleConnections()
	resp, err := (&http.Client{Timeout: patience, Transport: trusting}).Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, answer
}

// must is ask for what has to work; it returns the answer.
func must(ts *testscript.TestScript, method, path, body string) any {
	status, answer := ask(ts, method, path, body)
	if status/100 != 2 {
		ts.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	var v any
	ts.Check(json.Unmarshal(answer, &v))
	return v
}

// enrol does what a person at the agent's host and an administrator do.
func enrol(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "enrol AGENT")
	agent := args[0]
	pub := output(ts, "cortex-cli", "gen-key", "--agent-id", agent)
	must(ts, "POST", "/admin/agents", fmt.Sprintf(`{"agent_id":%q,"agent_pub":%q}`, agent, strings.TrimSpace(pub)))
	login := exec.Command(filepath.Join(binDir(ts), "cortex-cli"), "daemon", "login", "--agent-id", agent, "--url", ts.Getenv("URL"), "--no-browser")
	login.Env = []string{"HOME=" + ts.Getenv("HOME"), "CORTEX_HOME=" + ts.Getenv("CORTEX_HOME"), "PATH=" + ts.Getenv("PATH"), "CORTEX_PIN=" + ts.Getenv("PIN")}
	stderr, err := login.StderrPipe()
	ts.Check(err)
	ts.Check(login.Start())
	ts.Check(ApproveLogin(stderr, func(code string) {
		must(ts, "POST", "/admin/web/device/approve", fmt.Sprintf(`{"agent_id":%q,"user_code":%q}`, agent, code))
	}))
	ts.Check(login.Wait())
}

// ApproveLogin reads what a login says and approves the code in it, once. It
// returns when the login says nothing more.
func ApproveLogin(log io.Reader, approve func(code string)) error {
	s := bufio.NewScanner(log)
	for done := false; s.Scan(); {
		if code := userCode.FindString(s.Text()); code != "" && !done {
			approve(code)
			done = true
		}
	}
	return s.Err()
}

var userCode = regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ2-9]{4}-[BCDFGHJKLMNPQRSTVWXZ2-9]{4}\b`)

// GrantID matches the id of a pending grant.
var GrantID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// binDir is where testscript keeps the programs under their names.
func binDir(ts *testscript.TestScript) string {
	dir, _, _ := strings.Cut(ts.Getenv("PATH"), string(os.PathListSeparator))
	return dir
}

// output runs a command and returns what it prints.
func output(ts *testscript.TestScript, name string, args ...string) string {
	ts.Check(ts.Exec(name, args...))
	return ts.ReadFile("stdout")
}

func approve(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "approve")
	n := 0
	for _, v := range must(ts, "GET", "/admin/pending-grants", "").([]any) {
		if member(ts, v, "status") == "pending" {
			must(ts, "POST", "/admin/pending-grants/"+member(ts, v, "id")+"/approve", "{}")
			n++
		}
	}
	if n == 0 {
		ts.Fatalf("nothing waits for approval")
	}
}

func secret(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "secret PATH VALUE [VAR]")
	body, err := json.Marshal(map[string]string{"key_path": args[0], "secret_type": "KEY_VALUE", "value": args[1]})
	ts.Check(err)
	v := must(ts, "POST", "/admin/secrets", string(body))
	if len(args) == 3 {
		ts.Setenv(args[2], member(ts, v, "id"))
	}
}

// pidfile waits for the end of any process, whoever's child it is.
func pidfile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "pidfile FILE...")
	for _, name := range args {
		for _, field := range strings.Fields(ts.ReadFile(name)) {
			pid, err := strconv.Atoi(field)
			ts.Check(err)
			gone(ts, pid)
		}
	}
}

func gone(ts *testscript.TestScript, pid int) {
	ended, err := awaitExit(pid, time.Now().Add(patience))
	ts.Check(err)
	if !ended {
		ts.Fatalf("process %d is still there", pid)
	}
}

func listen(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "listen VAR FILE")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	var count atomic.Int64
	path := ts.MkAbs(args[1])
	ts.Check(os.WriteFile(path, []byte("0\n"), 0o600))
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// Written before the peer can see anything of it.
			os.WriteFile(path, []byte(strconv.FormatInt(count.Add(1), 10)+"\n"), 0o600)
			conn.Close()
		}
	})
	ts.Defer(func() {
		l.Close()
		wg.Wait()
	})
}

// signals are the names that signal takes.
var signals = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP,
	"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "ABRT": syscall.SIGABRT, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT,
}

// signalCommand finds the newest background command whose arguments begin with
// the given words.
func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "signal SIGNAL COMMAND...")
	sig, ok := signals[args[0]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[0])
	}
	var found *exec.Cmd
	for _, cmd := range ts.BackgroundCmds() {
		words := append([]string{filepath.Base(cmd.Args[0])}, cmd.Args[1:]...)
		if len(words) >= len(args)-1 && slices.Equal(words[:len(args)-1], args[1:]) {
			found = cmd
		}
	}
	if found == nil {
		ts.Fatalf("no background command %s", strings.Join(args[1:], " "))
	}
	ts.Check(found.Process.Signal(sig))
	if sig == syscall.SIGSTOP {
		// Else nobody could end it, and the script would wait for it.
		ts.Defer(func() { found.Process.Signal(syscall.SIGCONT) })
		awaitStop(ts, found.Process.Pid)
	}
}

// awaitStop waits until a process has stopped: a busy machine takes its time.
func awaitStop(ts *testscript.TestScript, pid int) {
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		ts.Check(err)
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
			return
		}
	}
	ts.Fatalf("process %d does not stop", pid)
}

func portOf(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "portof URL VAR")
	u, err := url.Parse(args[0])
	ts.Check(err)
	ts.Setenv(args[1], u.Port())
}
