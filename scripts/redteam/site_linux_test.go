package redteam

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/servertest"
)

// patience is how long anything awaited may take.
const patience = 60 * time.Second

// canary returns a value that nobody has seen before.
func canary() string { return "sk-" + rand.Text() }

// named returns a name that nobody has used before.
func named(stem string) string { return stem + "-" + strings.ToLower(rand.Text()[:10]) }

// A site is a vault's host: a directory with the vault's file, and a server that
// runs on it.
type site struct {
	// Server asks it as its administrator.
	*servertest.Server
	// password unseals it.
	password string
	dir      string
	env      []string
	// begin starts its programs.
	begin   func(*exec.Cmd) error
	program *e2e.Program
}

// newSite returns a site with a server, for the length of a test.
func newSite(t *testing.T, env ...string) *site {
	t.Helper()
	s := prepare(t, env...)
	s.serve(t)
	return s
}

// prepare returns a site whose server is not started yet.
func prepare(t *testing.T, env ...string) *site {
	t.Helper()
	s := &site{
		Server:   &servertest.Server{AdminToken: rand.Text(), HTTP: &http.Client{Timeout: patience, Transport: trusting()}},
		password: rand.Text(), dir: shortDir(t), begin: (*exec.Cmd).Start,
	}
	s.env = append([]string{
		"HOME=" + s.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir, "DATABASE_URL=bolt://" + s.file(),
		"CORTEX_KEK_PASSWORD=" + s.password, "ADMIN_TOKEN=" + s.AdminToken, "PORT=0", "INSECURE_HTTP=1", "CORTEX_KDF_PROFILE=low",
		"CORTEX_AUDIT_RESERVE=off", "CORTEX_RATE_LIMITS=off",
	}, env...)
	return s
}

// limitedSite is newSite with a server that has its usual limits, behind a proxy:
// see [from].
func limitedSite(t *testing.T, env ...string) *site {
	t.Helper()
	return newSite(t, append([]string{"CORTEX_RATE_LIMITS=", "CORTEX_TRUSTED_PROXIES=127.0.0.1"}, env...)...)
}

// trusting asks no server who it is.
func trusting() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64}
}

func (s *site) file() string { return filepath.Join(s.dir, "vault.db") }

// launch starts the server, with further variables. The last of a name counts.
func (s *site) launch(env ...string) (err error) {
	cmd := exec.Command(filepath.Join(bin, "cortex-server"))
	cmd.Dir, cmd.Env = s.dir, append(s.env[:len(s.env):len(s.env)], env...)
	if s.program, err = e2e.Launch(s.begin, cmd, "X_CORTEX_URL"); err == nil {
		s.URL = s.program.Announced
	}
	return err
}

// serve starts the server.
func (s *site) serve(t *testing.T, env ...string) {
	t.Helper()
	if err := s.launch(env...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.program.Kill)
}

// refuses reports whether the server ends before it listens, and says text.
func (s *site) refuses(t *testing.T, text string, env ...string) bool {
	t.Helper()
	err := s.launch(env...)
	if err == nil {
		s.program.Kill()
		return false
	}
	if !strings.Contains(err.Error(), text) {
		t.Fatalf("it ended without saying %q: %v", text, err)
	}
	return true
}

func (s *site) stop(t *testing.T) {
	t.Helper()
	if err := s.program.Stop(); err != nil {
		t.Fatal(err)
	}
}

// from returns the server as seen from another address, where it trusts this
// machine as a proxy.
func (s *site) from(address string) *servertest.Server {
	remote := *s.Server
	remote.HTTP = &http.Client{Timeout: patience, Transport: source{address, s.HTTP.Transport}}
	return &remote
}

// A source adds the address that requests come from.
type source struct {
	address string
	http.RoundTripper
}

func (s source) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", s.address)
	return s.RoundTripper.RoundTrip(r)
}

// cortex runs a verb on the vault's host, and returns what it prints.
func (s *site) cortex(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(bin, "cortex"), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A record is one of the audit trail.
type record struct {
	Action, Status string
	Seq            int
	AgentID        string `json:"agent_id"`
	Project        string `json:"project_name"`
	Actor          struct{ Kind, Name, Auth string }
	Resources      []struct{ Path, Decision string }
}

// trail returns the records of an action, newest first.
func (s *site) trail(t *testing.T, action string) (rows []record) {
	t.Helper()
	query := "?limit=1000&action=" + action
	for {
		a := ok(t, s.TryAdmin(t, http.MethodGet, "/admin/audit-logs"+query, nil))
		var some []record
		a.JSON(t, &some)
		rows = append(rows, some...)
		cursor := a.Header.Get("X-Cortex-Next-Cursor")
		if cursor == "" {
			return rows
		}
		query = "?limit=1000&action=" + action + "&cursor=" + url.QueryEscape(cursor)
	}
}

// agent returns an enrolled agent of a new name.
func (s *site) agent(t *testing.T) *servertest.Agent {
	t.Helper()
	return s.Enrol(t, named("bot"))
}

// secret keeps a canary under a new path, which reads like the variable that is
// returned.
func (s *site) secret(t *testing.T) (variable, id, value string) {
	t.Helper()
	path := strings.ReplaceAll(named("key"), "-", "_")
	value = canary()
	return strings.ToUpper(path), s.Secret(t, path, value), value
}

// entrusted returns an agent that has been approved a secret for a project, and what it
// takes to fetch that.
func (s *site) entrusted(t *testing.T) (a *servertest.Agent, app, token, id, value string) {
	t.Helper()
	variable, id, value := s.secret(t)
	a, app = s.agent(t), named("app")
	token = a.Obtain(t, app, variable).Token
	if !fetched(t, a, app, token, value) {
		t.Fatal("nothing is delivered to begin with")
	}
	return a, app, token, id, value
}

// shortDir returns a directory whose name fits into a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "red-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// without returns an environment without some variables.
func without(env []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}

// stage is the test of which all moves are parts: what they share ends with it.
var stage *testing.T

// once has what moves share made by the first that needs it, on the stage.
func once[V any](make func() V) func() V {
	var mu sync.Mutex
	var begun, made bool
	var v V
	return func() V {
		mu.Lock()
		defer mu.Unlock()
		if !begun {
			begun = true
			v = make()
			made = true
		}
		if !made {
			stage.Fatal("it could not be made, as another move says")
		}
		return v
	}
}

// shared is a site that many moves use, and none of them disturbs.
var shared = once(func() *site { return newSite(stage) })

// ok ends the test unless an answer is 2xx.
func ok(t *testing.T, a servertest.Answer) servertest.Answer {
	t.Helper()
	if a.Status/100 != 2 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a
}

// refused reports whether an answer is 4xx. Anything else but 2xx ends the test.
func refused(t *testing.T, a servertest.Answer) bool {
	t.Helper()
	if a.Status/100 != 4 && a.Status/100 != 2 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return a.Status/100 == 4
}

// unless returns an outcome, or open where it does not hold.
func unless(went bool, otherwise outcome) outcome {
	if went {
		return open
	}
	return otherwise
}

// object is a JSON object.
type object = map[string]any

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("redteam: %v", err))
	}
	return b
}
