package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Several thousand connections that are silent, slow, idle or stalled keep no
// honest request from being answered, while they come and while they are held.
// One that is being answered when they come stays.
func TestHeldConnections(t *testing.T) {
	for name, env := range map[string][]string{
		"plain": nil,
		"TLS":   {"INSECURE_HTTP=", "CORTEX_TLS=auto", "CORTEX_LISTEN=127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.serve(env...)
			l := &load{s.url, &http.Client{Timeout: patience / 2, Transport: &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
			}}}
			waiting := make(chan error, 1)
			go func() { waiting <- l.honest("GET", "/admin/pending-grants?wait=6s") }()
			many := min(5000, descriptors(t)-100)
			holding := s.hold(many)
			for i, held := 0, false; !held; i++ {
				select {
				case <-holding:
					held = true
				default:
				}
				if err := l.honest("GET", "/health"); err != nil {
					t.Fatalf("request %d: %v", i, err)
				}
				if _, status, err := l.create(fmt.Sprint("honest/", i), "value"); err != nil || status/100 != 2 {
					t.Fatalf("request %d: status %d, %v", i, status, err)
				}
			}
			if err := <-waiting; err != nil {
				t.Errorf("the request that waited: %v", err)
			}
			if came := l.accepted(t); came < many {
				t.Errorf("only %d connections came, of %d", came, many)
			}
		})
	}
}

// honest sends a request that has to be answered well.
func (l *load) honest(method, path string) error {
	status, answer, err := l.do(method, path, "", asAdmin)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d %s", status, answer)
	}
	return err
}

// accepted is how many connections there were so far.
func (l *load) accepted(t *testing.T) (n int) {
	t.Helper()
	_, text, err := l.do("GET", "/metrics", "", asAdmin)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("\ncortex_connections_accepted_total "))
	if _, err := fmt.Sscan(string(text), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// descriptors is how many a process may have.
func descriptors(t *testing.T) int {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(limit.Max)
}

// hold has a process hold many connections to the server until the test ends.
// The channel is closed when it has opened them.
func (s *stage) hold(many int) <-chan struct{} {
	s.t.Helper()
	scheme, addr, _ := strings.Cut(s.url, "://")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdAddr+"="+addr, holdMany+"="+fmt.Sprint(many), holdTLS+"="+strings.TrimPrefix(scheme, "http"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	holding := make(chan struct{})
	s.t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Error(err)
		}
	})
	go func() {
		defer close(holding)
		bufio.NewReader(stdout).ReadString('\n')
	}()
	return holding
}
