package blackbox

import (
	"strings"
	"testing"
)

// own runs a test in both modes, each against a server that is its own.
func own(t *testing.T, test func(s *server)) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			s := &server{vault: newVault(t, m.attested, ""), dir: dir, env: m.environment(dir)}
			s.start()
			test(s)
		})
	}
}

// A server is a vault of a test's own, which it may stop and start.
type server struct {
	*vault
	dir string
	env []string
	now *program
}

// start starts the server with further variables, the last of a name counts.
func (s *server) start(env ...string) {
	s.t.Helper()
	p, err := launch(s.dir, "cortex-server", "X_CORTEX_URL", append(s.env, env...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Kill)
	s.now, s.url = p, p.url
}

// refuses starts a server that is to end before it listens, and to say text.
func (s *server) refuses(text string, env ...string) {
	s.t.Helper()
	p, err := launch(s.dir, "cortex-server", "X_CORTEX_URL", append(s.env, env...))
	if err == nil {
		p.Kill()
		s.t.Fatal("the server started")
	}
	if p == nil || p.Cmd.ProcessState.ExitCode() != 1 || !strings.Contains(p.Log(), text) {
		s.t.Errorf("%v, want exit status 1 and %q", err, text)
	}
}
