package e2e

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

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
