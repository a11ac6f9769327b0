package redteam

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
)

var trustMoves = moves{
	"unsigned-requests":     unsignedRequests,
	"unsigned-requests-far": func(t *testing.T) outcome { t.Parallel(); return far(t, "CORTEX_DISABLE_REQUEST_SIGNING=1") },
	"no-limits":             noLimits,
	"no-limits-far":         func(t *testing.T) outcome { t.Parallel(); return far(t, "CORTEX_RATE_LIMITS=off") },
	"plain-server":          plainServer,
	"dev-arguments":         devArguments,
	"saved-token":           savedToken,
}

// unsigned is a site that asks for no signatures of daemons.
var unsigned = once(func() *site { return newSite(stage, "CORTEX_DISABLE_REQUEST_SIGNING=1") })

func unsignedRequests(t *testing.T) outcome {
	t.Parallel()
	s := unsigned()
	variable, _, value := s.secret(t)
	app := named("app")
	token := s.Register(t, named("bot")).Obtain(t, app, variable).Token
	got := s.Do(t, servertest.Request{Method: http.MethodGet, Path: "/project/secrets/" + app, Header: http.Header{"Authorization": {"Bearer " + token}}})
	if !strings.Contains(s.program.Log(), "CORTEX_DISABLE_REQUEST_SIGNING") {
		t.Fatal("the log does not say it")
	}
	return unless(strings.Contains(string(got.Body), value), stopped)
}

// far starts a server with a setting where others can reach it.
func far(t *testing.T, setting string) outcome {
	t.Helper()
	s := prepare(t, "CORTEX_RATE_LIMITS=")
	for _, address := range []string{"0.0.0.0", outward(t), "::"} {
		if !s.refuses(t, "others can reach", setting, "CORTEX_LISTEN="+address) {
			return open
		}
	}
	s.serve(t, setting) // at home
	return stopped
}

func noLimits(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	for range 200 {
		if guess(t, s.Server, rand.Text()).Status == http.StatusTooManyRequests {
			return stopped
		}
	}
	if !strings.Contains(s.program.Log(), "CORTEX_RATE_LIMITS=off") {
		t.Fatal("the log does not say it")
	}
	return open
}

// plainServer listens where a server is told to speak without TLS.
func plainServer(t *testing.T) outcome {
	t.Parallel()
	s := prepare(t, "CORTEX_RATE_LIMITS=")
	if s.launch("CORTEX_LISTEN="+outward(t)) != nil {
		return stopped
	}
	t.Cleanup(s.program.Kill)
	j := newJunction(t, s.addr())
	_, id, value := s.secret(t)
	near := *s.Server
	near.URL = "http://" + j.Addr().String()
	near.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, nil)
	return unless(holds(j.listened(), value) && holds(j.listened(), s.AdminToken), stopped)
}

// devArguments is what another user sees.
func devArguments(t *testing.T) outcome {
	t.Parallel()
	value, home := canary(), shortDir(t)
	started := filepath.Join(home, "started")
	cmd := exec.Command(filepath.Join(bin, "cortex"), "dev", "--set", "KEY="+value, "--", "sh", "-c", `echo > "$1"; exec sleep 60`, "sh", started)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH")}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(started); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not start")
		}
	}
	look := exec.Command("cat", fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
	look.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	seen, err := look.Output()
	if err != nil {
		return stopped
	}
	return unless(holds(seen, value), stopped)
}

// savedToken reads what a person had saved, and uses it from somewhere else.
func savedToken(t *testing.T) outcome {
	t.Parallel()
	s := unsigned()
	variable, _, value := s.secret(t)
	h := newStation(t, s.URL)
	h.register(t, s)
	write(t, filepath.Join(h.dir, ".env"), variable+"=\n")
	app := named("app")
	verb := []string{"discover", "--project", app, "--agent-id", h.agent, "--url", h.url, "--save"}
	h.cortex(verb...)
	for _, w := range requests(t, s.Server, app) {
		s.Admin(t, http.MethodPost, "/admin/pending-grants/"+w.ID+"/approve", object{}, nil)
	}
	if _, stderr, err := h.cortex(verb...); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	file := filepath.Join(h.dir, ".cortex-token-"+app)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	token := strings.TrimSpace(string(read(t, file)))
	got := s.Do(t, servertest.Request{Method: http.MethodGet, Path: "/project/secrets/" + app, Header: http.Header{"Authorization": {"Bearer " + token}}})
	return unless(strings.Contains(string(got.Body), value), stopped)
}
