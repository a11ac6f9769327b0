package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/server/api"
)

// TestMain is the program itself where it is told to be.
func TestMain(m *testing.M) {
	if os.Getenv("CORTEX_TEST_PROGRAM") == "" {
		// They wait for disks and for other processes more than they compute.
		if err := flag.Set("test.parallel", "6"); err != nil {
			panic(err)
		}
		os.Exit(m.Run())
	}
	root := &cli.Command{
		Name: "cortex", Commands: []*cli.Command{Command(), VerifyAuditCommand(nil, nil)},
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
	}
	err := root.Run(context.Background(), os.Args)
	status := 0
	if err != nil {
		fmt.Fprintln(os.Stderr, "cortex:", err)
		status = 1
		if e, ok := errors.AsType[cli.ExitCoder](err); ok {
			status = e.ExitCode()
		}
	}
	os.Exit(status)
}

const testPassword = "correct horse battery staple"

// A process is the program, running.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	log    chan string // lines of stderr, closed at its end
	url    string
	dir    string
}

// start runs the program in a directory of its own, or in dir. The variables
// come on top of a password and a port that is free.
func start(t *testing.T, dir string, stdin io.Reader, vars []string, args ...string) *process {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(self, args...), log: make(chan string, 1000), dir: dir}
	p.cmd.Dir, p.cmd.Stdin, p.cmd.Stdout = dir, stdin, &p.stdout
	p.cmd.Env = append([]string{"CORTEX_TEST_PROGRAM=1", "CORTEX_KDF_PROFILE=low", "CORTEX_AUDIT_RESERVE=off", "PORT=0", "INSECURE_HTTP=1", "HOME=" + dir, "TMPDIR=" + os.TempDir()}, vars...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	go func() {
		defer close(p.log)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.log <- lines.Text()
		}
	}()
	return p
}

// serve starts a server and waits until it says it is ready.
func serve(t *testing.T, dir string, vars ...string) *process {
	t.Helper()
	socket := filepath.Join(shortDir(t), "notify")
	listener, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := start(t, dir, nil, append([]string{"CORTEX_KEK_PASSWORD= " + testPassword + "\n", "NOTIFY_SOCKET=" + socket}, vars...), "serve")
	if err := listener.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	message := make([]byte, 1024)
	n, err := listener.Read(message)
	if err != nil {
		t.Fatalf("%v; log: %q", err, p.rest(t))
	}
	ready, url, _ := strings.Cut(string(message[:n]), "\nX_CORTEX_URL=")
	if ready != "READY=1" || url == "" {
		t.Fatalf("notified %q", message[:n])
	}
	p.url = url
	return p
}

// shortDir is a directory whose name fits into a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// waitFor reads the log up to the line that holds text, and returns the lines
// before.
func (p *process) waitFor(t *testing.T, text string) (seen []string) {
	t.Helper()
	for line := range p.log {
		if strings.Contains(line, text) {
			return seen
		}
		seen = append(seen, line)
	}
	t.Fatalf("no %q in the log: %q", text, seen)
	return nil
}

// rest kills the program and returns what it logged.
func (p *process) rest(t *testing.T) []string {
	t.Helper()
	p.cmd.Process.Kill()
	var lines []string
	for line := range p.log {
		lines = append(lines, line)
	}
	return lines
}

// end waits for the program and returns its status and what it logged last.
func (p *process) end(t *testing.T) (status int, log string) {
	t.Helper()
	timeout := time.AfterFunc(time.Minute, func() { p.cmd.Process.Kill() })
	defer timeout.Stop()
	var lines strings.Builder
	for line := range p.log {
		lines.WriteString(line + "\n")
	}
	if err := p.cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return p.cmd.ProcessState.ExitCode(), lines.String()
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// stop ends a server as a service manager does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	if status, log := p.end(t); status != 0 {
		t.Fatalf("status %d: %s", status, log)
	}
}

func (p *process) get(t *testing.T, path, token string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Admin-Token", token)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode
}

var banner = regexp.MustCompile(`(?s)^\n={72}\n.*\n\n +([0-9a-f]{64})\n\n.*X-Admin-Token.*\n={72}\n\n$`)

// shownToken returns the token in the banner, "" if there is none.
func (p *process) shownToken() string {
	if m := banner.FindStringSubmatch(p.stdout.String()); m != nil {
		return m[1]
	}
	return ""
}

func TestFirstStart(t *testing.T) {
	t.Parallel()
	p := serve(t, "")
	if !strings.HasPrefix(p.url, "http://127.0.0.1:") {
		t.Errorf("url %s", p.url)
	}
	var health api.Health
	if status := p.get(t, "/health", "", &health); status != 200 || health.Status != "ok" {
		t.Errorf("%d %+v", status, health)
	}
	p.signal(t, syscall.SIGTERM)
	status, log := p.end(t)
	token := p.shownToken()
	if status != 0 || token == "" {
		t.Fatalf("status %d, stdout %q", status, p.stdout.String())
	}
	for _, text := range []string{filepath.Join(p.dir, "cortex-auth.db"), "NEW vault", "SEALED", "UNSEALED", "kek_version=1", "insecure setting", "INSECURE_HTTP"} {
		if !strings.Contains(log, text) {
			t.Errorf("the log does not say %q:\n%s", text, log)
		}
	}
	if strings.Contains(log, token) || strings.Contains(log, testPassword) {
		t.Errorf("a secret is in the log:\n%s", log)
	}

	again := serve(t, p.dir)
	var rows []api.AuditRow
	if status := again.get(t, "/admin/audit-logs", token, &rows); status != 200 {
		t.Errorf("%d", status)
	}
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.Action]++
	}
	if counts["vault_start"] != 2 || counts["vault_stop"] != 1 || counts["insecure_setting"] != 2 || counts["vault_initialize"] != 1 {
		t.Errorf("recorded %v", counts)
	}
	again.signal(t, os.Interrupt)
	if status, _ := again.end(t); status != 0 || again.stdout.Len() != 0 {
		t.Errorf("status %d, stdout %q", status, &again.stdout)
	}
}

// A wrong password ends the program, and nothing ever listened.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	p := serve(t, "")
	p.stop(t)
	status, log := start(t, p.dir, nil, []string{"CORTEX_KEK_PASSWORD=wrong-canary"}, "serve").end(t)
	if status != 1 || !strings.Contains(log, "wrong operator password") || strings.Contains(log, "listening") || strings.Contains(log, "canary") {
		t.Errorf("status %d:\n%s", status, log)
	}
}

func TestPasswordSources(t *testing.T) {
	t.Parallel()
	p := serve(t, "")
	p.stop(t)
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "kek-password"), []byte(testPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := writeFile(t, testPassword)
	for name, tc := range map[string]struct {
		stdin string
		vars  []string
		args  []string
	}{
		"file":          {"", []string{"CORTEX_KEK_PASSWORD_FILE=" + file}, nil},
		"flag":          {"", nil, []string{"--kek-password-file", file}},
		"credential":    {"", []string{"CREDENTIALS_DIRECTORY=" + credentials}, nil},
		"standard in":   {testPassword + "\nmore", nil, nil},
		"trimmed stdin": {"  " + testPassword + "  ", nil, nil},
	} {
		run := start(t, p.dir, strings.NewReader(tc.stdin), tc.vars, append([]string{"serve"}, tc.args...)...)
		t.Log(name)
		run.waitFor(t, "listening")
		run.stop(t)
	}
	for name, vars := range map[string][]string{
		"blank variable": {"CORTEX_KEK_PASSWORD= "},
		"missing file":   {"CORTEX_KEK_PASSWORD_FILE=/nowhere"},
		"wrong stdin":    nil,
	} {
		run := start(t, p.dir, strings.NewReader("wrong\n"), vars, "serve")
		if status, log := run.end(t); status != 1 || strings.Contains(log, "listening") {
			t.Errorf("%s: status %d:\n%s", name, status, log)
		}
	}
}

func TestAdminTokenSources(t *testing.T) {
	t.Parallel()
	p := serve(t, "", "ADMIN_TOKEN=0123456789abcdef-variable")
	if status := p.get(t, "/admin/secrets", "0123456789abcdef-variable", nil); status != 200 {
		t.Errorf("variable: %d", status)
	}
	p.stop(t)
	if p.stdout.Len() != 0 {
		t.Errorf("stdout %q", &p.stdout)
	}

	p = serve(t, p.dir, "ADMIN_TOKEN_FILE="+writeFile(t, "0123456789abcdef-file\n"))
	if good, bad := p.get(t, "/admin/secrets", "0123456789abcdef-file", nil), p.get(t, "/admin/secrets", "0123456789abcdef-variable", nil); good != 200 || bad != 401 {
		t.Errorf("file: %d, old one: %d", good, bad)
	}
	p.stop(t)

	p = serve(t, p.dir) // without any the last one stays
	if status := p.get(t, "/admin/secrets", "0123456789abcdef-file", nil); status != 200 {
		t.Errorf("kept: %d", status)
	}
	p.stop(t)

	reset := start(t, p.dir, strings.NewReader(testPassword), nil, "serve", "--reset-admin-token")
	reset.waitFor(t, "listening")
	reset.stop(t)
	token := reset.shownToken()
	p = serve(t, p.dir)
	if good, bad := p.get(t, "/admin/secrets", token, nil), p.get(t, "/admin/secrets", "0123456789abcdef-file", nil); good != 200 || bad != 401 {
		t.Errorf("reset: %d, old one: %d", good, bad)
	}
	p.stop(t)

	for name, run := range map[string]*process{
		"too short": start(t, t.TempDir(), strings.NewReader(testPassword), []string{"ADMIN_TOKEN=short-canary"}, "serve"),
		"both":      start(t, t.TempDir(), strings.NewReader(testPassword), []string{"ADMIN_TOKEN=0123456789abcdef-canary"}, "serve", "--reset-admin-token"),
	} {
		if status, log := run.end(t); status != 1 || strings.Contains(log, "listening") || strings.Contains(log, "canary") {
			t.Errorf("%s: status %d:\n%s", name, status, log)
		}
	}
}

func TestRefusesToStart(t *testing.T) {
	for name, tc := range map[string]struct {
		vars []string
		says string
	}{
		"no TLS":          {[]string{"INSECURE_HTTP="}, "TLS_CERT_FILE and TLS_KEY_FILE, or INSECURE_HTTP=1"},
		"INSECURE_HTTP":   {[]string{"INSECURE_HTTP=on"}, "refusing to serve without TLS"},
		"signing off":     {[]string{"CORTEX_DISABLE_REQUEST_SIGNING=1", "CORTEX_LISTEN=0.0.0.0"}, "refusing CORTEX_DISABLE_REQUEST_SIGNING"},
		"limits off":      {[]string{"CORTEX_RATE_LIMITS=off", "CORTEX_LISTEN=0.0.0.0"}, "refusing CORTEX_RATE_LIMITS=off"},
		"sqlite":          {[]string{"DATABASE_URL=sqlite://cortex-auth.db"}, "SQLite"},
		"no password":     {nil, "no operator password"},
		"directory":       {[]string{"DATABASE_URL=/nowhere/at/all.db"}, "/nowhere/at"},
		"several at once": {[]string{"PORT=x", "CORTEX_RATE_LIMITS=x"}, "rate limit"},
	} {
		status, log := start(t, "", nil, tc.vars, "serve").end(t)
		if status != 1 || !strings.Contains(log, tc.says) || strings.Contains(log, "listening") {
			t.Errorf("%s: status %d:\n%s", name, status, log)
		}
	}
}

func TestVaultInUse(t *testing.T) {
	p := serve(t, "")
	status, log := start(t, p.dir, strings.NewReader(testPassword), nil, "serve").end(t)
	if status != 1 || !strings.Contains(log, fmt.Sprintf("pid %d", p.cmd.Process.Pid)) {
		t.Errorf("status %d:\n%s", status, log)
	}
	status, log = start(t, p.dir, strings.NewReader(testPassword), nil, "verify-audit", "--db", "cortex-auth.db").end(t)
	if status != 2 || !strings.Contains(log, "in use") {
		t.Errorf("status %d:\n%s", status, log)
	}
	p.stop(t)
}

func TestInsecureSettingsAreRecorded(t *testing.T) {
	p := serve(t, "", "ADMIN_TOKEN=0123456789abcdef", "CORTEX_DISABLE_REQUEST_SIGNING=yes", "CORTEX_RATE_LIMITS=off")
	var rows []api.AuditRow
	p.get(t, "/admin/audit-logs", "0123456789abcdef", &rows)
	found := map[string]bool{}
	for _, r := range rows {
		if r.Action == "insecure_setting" {
			found[*r.ResourcePath] = true
		}
	}
	for _, setting := range []string{"INSECURE_HTTP", "CORTEX_DISABLE_REQUEST_SIGNING", "CORTEX_RATE_LIMITS=off"} {
		if !found[setting] {
			t.Errorf("%s is not recorded: %v", setting, found)
		}
	}
	p.stop(t)
}

// A request under way is answered after SIGTERM; then the port is closed.
func TestDrain(t *testing.T) {
	p := serve(t, "", "ADMIN_TOKEN=0123456789abcdef")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const body = `{"key_path":"a","secret_type":"KEY_VALUE","value":"x"}`
	fmt.Fprintf(conn, "POST /admin/secrets HTTP/1.1\r\nHost: x\r\nX-Admin-Token: 0123456789abcdef\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err) // the handler waits for the body now
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGTERM)
	p.waitFor(t, "stopping")
	io.WriteString(conn, body)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "201") {
		t.Errorf("%q, %v", line, err)
	}
	if status, log := p.end(t); status != 0 {
		t.Errorf("status %d: %s", status, log)
	}
	if c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://")); err == nil {
		c.Close()
		t.Error("the port is open")
	}
}

func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := ecPair(t, dir, 1)
	p := serve(t, dir, "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile, "CORTEX_LISTEN=127.0.0.1")
	if !strings.HasPrefix(p.url, "https://127.0.0.1:") {
		t.Fatalf("url %s", p.url)
	}
	address := strings.TrimPrefix(p.url, "https://")
	serial := func(config *tls.Config) (int64, string, error) {
		config.InsecureSkipVerify = true // what it proves is not the point here
		conn, err := tls.Dial("tcp", address, config)
		if err != nil {
			return 0, "", err
		}
		defer conn.Close()
		state := conn.ConnectionState()
		return state.PeerCertificates[0].SerialNumber.Int64(), state.NegotiatedProtocol, nil
	}
	if n, proto, err := serial(&tls.Config{NextProtos: []string{"h2"}}); n != 1 || proto != "h2" || err != nil {
		t.Errorf("serial %d, %s, %v", n, proto, err)
	}
	if _, _, err := serial(&tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	ecPair(t, dir, 2)
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "read the certificate again")
	if n, _, err := serial(&tls.Config{}); n != 2 || err != nil {
		t.Errorf("serial %d, %v", n, err)
	}
	if err := os.WriteFile(certFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "the old certificate stays")
	if n, _, err := serial(&tls.Config{}); n != 2 || err != nil {
		t.Errorf("serial %d, %v", n, err)
	}
	p.stop(t)
}

func TestHangupWithoutCertificate(t *testing.T) {
	p := serve(t, "")
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "SIGHUP")
	if status := p.get(t, "/health", "", nil); status != 200 {
		t.Errorf("%d", status)
	}
	p.stop(t)
}
