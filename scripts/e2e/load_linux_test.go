package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// crowd is how many connections the tests of this file have.
const crowd = 64

// A load sends requests to a server that may go away at any time.
type load struct {
	url  string
	http *http.Client
}

func (s *stage) load() *load {
	tr := &http.Transport{MaxIdleConnsPerHost: crowd}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &load{s.url, &http.Client{Transport: tr, Timeout: patience}}
}

// do returns the status and body of an answer, or why there was none.
func (l *load) do(method, path, body string, header http.Header) (int, []byte, error) {
	req, err := http.NewRequest(method, l.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

var asAdmin = http.Header{"X-Admin-Token": {e2e.AdminToken}}

// create makes a secret with a value of its own and returns its id.
func (l *load) create(path, value string) (id string, status int, err error) {
	body := fmt.Sprintf(`{"key_path":%q,"secret_type":"KEY_VALUE","value":%q}`, path, value)
	status, answer, err := l.do("POST", "/admin/secrets", body, asAdmin)
	if err != nil || status/100 != 2 {
		return "", status, err
	}
	var made struct {
		ID string `json:"id"`
	}
	return made.ID, status, json.Unmarshal(answer, &made)
}

// read returns the value of a secret.
func (l *load) read(id string) (value string, status int, err error) {
	status, answer, err := l.do("GET", "/admin/secrets/"+id, "", asAdmin)
	if err != nil || status/100 != 2 {
		return "", status, err
	}
	var secret struct {
		Value string `json:"value"`
	}
	return secret.Value, status, json.Unmarshal(answer, &secret)
}

// acknowledged is what a server said it had done.
type acknowledged struct {
	mu     sync.Mutex // guards values
	values map[string]string
	n      atomic.Int64
	enough int64
	had    chan struct{} // closed when n is enough
}

// more notes an answer.
func (a *acknowledged) more() {
	if a.n.Add(1) == a.enough {
		close(a.had)
	}
}

// want asks to be told after n more answers.
func (a *acknowledged) want(n int64) {
	a.enough, a.had = a.n.Load()+n, make(chan struct{})
}

// work writes and reads until the server is gone. Whatever is answered counts.
func (a *acknowledged) work(l *load, name string) error {
	for i := 0; ; i++ {
		value := fmt.Sprintf("value of %s, %d", name, i)
		id, status, err := l.create(fmt.Sprintf("%s/%d", name, i), value)
		if err != nil {
			return nil //nolint:nilerr // it was killed
		}
		if status/100 != 2 {
			return fmt.Errorf("create: status %d", status)
		}
		a.mu.Lock()
		a.values[id] = value
		a.mu.Unlock()
		a.more()
		got, status, err := l.read(id)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		if status != http.StatusOK || got != value {
			return fmt.Errorf("read: status %d, %q; want %q", status, got, value)
		}
		a.more()
	}
}

// A server that is killed again and again under the load of a crowd loses
// nothing that it acknowledged: no secret, and no record.
func TestKilledUnderLoad(t *testing.T) {
	s := newStage(t)
	a := acknowledged{values: map[string]string{}}
	const kills = 10
	for kill := range kills {
		server := s.serve()
		l := s.load()
		a.want(int64(100 + 150*kill))
		var wg sync.WaitGroup
		errs := make(chan error, crowd)
		ctx, stop := context.WithCancel(t.Context())
		for i := range crowd {
			wg.Go(func() { errs <- a.work(l, fmt.Sprintf("kill-%d/%d", kill, i)) })
		}
		go func() { wg.Wait(); stop() }()
		select {
		case <-a.had:
		case <-ctx.Done(): // with an error
		}
		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		server.wait(t)
		<-ctx.Done()
		for range crowd {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
	}
	server := s.serve()
	l := s.load()
	for id, want := range a.values {
		if got, status, err := l.read(id); err != nil || got != want {
			t.Fatalf("secret %s: %q, status %d, %v; want %q", id, got, status, err, want)
		}
	}
	s.stop(server)
	if rows := s.verifyAudit(); rows < a.n.Load() {
		t.Errorf("%d records of %d acknowledged operations", rows, a.n.Load())
	}
	t.Logf("%d operations were acknowledged", a.n.Load())
}

// stop stops the server in order.
func (s *stage) stop(p *process) {
	s.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := p.wait(s.t); err != nil {
		s.t.Fatal(err)
	}
}

// verifyAudit replays the trail with the program, and returns how many records
// it has.
func (s *stage) verifyAudit(args ...string) int64 {
	s.t.Helper()
	stdout, stderr, err := s.run("cortex", append([]string{"verify-audit", "--json"}, args...)...)
	var report struct {
		Intact bool  `json:"intact"`
		Rows   int64 `json:"rows"`
	}
	if err := errors.Join(err, json.Unmarshal([]byte(stdout), &report)); err != nil || !report.Intact {
		s.t.Fatalf("the trail is not intact: %v\n%s%s", err, stdout, stderr)
	}
	return report.Rows
}
