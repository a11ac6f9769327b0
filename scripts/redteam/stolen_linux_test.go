package redteam

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/servertest"
)

// What is tried with what was stolen from the host. The host's own daemon has no
// session any more after some of them, and opens another one after half a minute: so
// they come last.
var stolenMoves = map[string]hostMove{
	"stolen-home":           stolenHome,
	"stolen-home-same-name": stolenSameName,
	"stolen-session":        stolenSession,
	"stolen-device-code":    stolenDeviceCode,
	"stolen-access-token":   stolenAccessToken,
	"stolen-project-token":  stolenProjectToken,
	"false-program":         falseProgram,
	"false-description":     falseDescription,
}

// A thief is root on a host of his own, called name, with files of another.
type thief struct {
	h    *host
	dir  string
	name string
}

// steal copies files of the daemon's.
func (h *host) steal(t *testing.T, name string, pattern string) *thief {
	t.Helper()
	th := &thief{h, shortDir(t), name}
	home := filepath.Join(th.dir, ".cortex")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(h.state, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing to steal: %v", err)
	}
	for _, file := range files {
		if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
			if err := os.WriteFile(filepath.Join(home, filepath.Base(file)), read(t, file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return th
}

// cortex returns the program on the thief's host.
func (th *thief) cortex(role string, args ...string) *exec.Cmd {
	script := `hostname "$1"; shift; exec "$@"`
	cmd := exec.Command("unshare", append([]string{"--uts", "sh", "-c", script, "sh", th.name, filepath.Join(bin, role)}, args...)...)
	cmd.Dir, cmd.Env = th.dir, []string{"HOME=" + th.dir, "PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + th.dir}
	return cmd
}

// gets reports whether a daemon of the thief's gives a command the value of the
// host's project.
func (th *thief) gets(t *testing.T) bool {
	t.Helper()
	daemon, err := e2e.Launch((*exec.Cmd).Start, th.cortex("cortex-daemon"), "X_CORTEX_SOCK")
	if err != nil {
		t.Logf("%v", err)
		return false
	}
	defer daemon.Kill()
	names := filepath.Join(th.dir, "names")
	if err := os.WriteFile(names, []byte(th.h.variable+"=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := finish(t, th.cortex("cortex", append([]string{"run", "--project", th.h.project, "--env-file", names, "--"}, told(th.h.variable)...)...))
	t.Log(r.stderr)
	return untold(r.stdout) == th.h.value
}

func (h *host) twoHosts(t *testing.T) int {
	t.Helper()
	return len(slices.DeleteFunc(alarmsOf(t, h.site), func(action string) bool { return action != "agent_on_two_hosts" }))
}

func stolenHome(t *testing.T, h *host) outcome {
	before := h.twoHosts(t)
	if !h.steal(t, "thief", "*").gets(t) {
		return stopped
	}
	alarms := h.twoHosts(t) - before
	if alarms > 0 {
		return alarm
	}
	return open
}

func stolenSameName(t *testing.T, h *host) outcome {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	// The last session was a host's of that name.
	if !h.steal(t, name, "*").gets(t) {
		return stopped
	}
	before := h.twoHosts(t)
	if !h.steal(t, name, "*").gets(t) {
		return stopped
	}
	alarms := h.twoHosts(t) - before
	if alarms > 0 {
		return alarm
	}
	return open
}

func stolenSession(t *testing.T, h *host) outcome {
	if bytes.Contains(read(t, h.session()), []byte("token")) {
		t.Log("there is a token in it")
		return open
	}
	return unless(h.steal(t, "thief", "daemon-session.json").gets(t), stopped)
}

// enrolled returns a host that logs in with proofs, up to its code's approval.
func (h *host) enrolled(t *testing.T) *servertest.Host {
	t.Helper()
	e := h.Host(t, named("bot"))
	ok(t, e.Begin(t, e.Init()))
	approveDevice(t, h.Server, e)
	return e
}

func stolenDeviceCode(t *testing.T, h *host) outcome {
	e := h.enrolled(t)
	thief := *e
	thiefs := *e.Agent
	thief.Agent = &thiefs
	thief.Key = newKey(t)
	if !refused(t, thief.Poll(t)) {
		return open
	}
	bare := h.Do(t, servertest.Request{Method: http.MethodPost, Path: "/device/token", Body: object{"device_code": e.DeviceCode, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}})
	if !refused(t, bare) {
		return open
	}
	ok(t, e.Poll(t))
	return stopped
}

func stolenAccessToken(t *testing.T, h *host) outcome {
	e := h.enrolled(t)
	ok(t, e.Poll(t))
	ok(t, e.AttestWith(t, e.AttestBody()))
	thief := *e
	thiefs := *e.Agent
	thief.Agent = &thiefs
	thief.Key, thief.Attestation = newKey(t), newKey(t)
	if !refused(t, thief.AttestWith(t, thief.AttestBody())) || !refused(t, thief.Attest(t)) {
		return open
	}
	ok(t, e.AttestWith(t, e.AttestBody()))
	return stopped
}

func stolenProjectToken(t *testing.T, h *host) outcome {
	variable, _, value := h.secret(t)
	a, project := h.site.agent(t), named("app")
	token := a.Obtain(t, project, variable).Token
	other := h.site.agent(t)
	forged := *a
	forged.Attestation = newKey(t)
	if fetched(t, other, project, token, value) || fetched(t, &forged, project, token, value) {
		return open
	}
	if !fetched(t, a, project, token, value) {
		t.Fatal("it is not good for its own daemon either")
	}
	return stopped
}

// A daemon that is another program than the allowlist names.
func falseProgram(t *testing.T, h *host) outcome {
	s := newSite(t) // whose allowlist is its own
	listed := strings.Repeat("5a", 32)
	if out, err := s.cortex("allowlist", "add", listed, "--url", s.URL); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	e := s.Host(t, named("bot"))
	ok(t, e.Begin(t, e.Init()))
	approveDevice(t, s.Server, e)
	ok(t, e.Poll(t))
	if !refused(t, e.AttestWith(t, e.AttestBody())) {
		t.Fatal("the allowlist keeps nobody out")
	}
	// This program is none whose hash that is.
	if out, err := s.cortex("allowlist", "add", servertest.BinarySHA256, "--url", s.URL); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return unless(!refused(t, e.AttestWith(t, e.AttestBody())), stopped)
}

// A daemon on a host that says it is another one.
func falseDescription(t *testing.T, h *host) outcome {
	th := h.steal(t, named("false"), "*")
	if !th.gets(t) {
		t.Fatal("nothing is delivered")
	}
	var rows []map[string]any
	h.Admin(t, http.MethodGet, "/admin/audit-logs?limit=200", nil, &rows)
	for _, r := range rows {
		if strings.Contains(string(marshal(r)), th.name) {
			return open
		}
	}
	return stopped
}
