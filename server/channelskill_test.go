package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func (p *process) post(t *testing.T, path, token, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Admin-Token", token)
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s: %d %s %v", path, resp.StatusCode, answer, err)
	}
	return string(answer)
}

// A server that is killed while a message is on its way delivers it after the
// next start, under the same id.
func TestMessageOutlivesAKill(t *testing.T) {
	t.Parallel()
	ids := make(chan string, 10)
	hang := make(chan struct{})
	var later atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hangs := !later.Swap(true)
		ids <- r.Header.Get("X-Cortex-Delivery")
		if hangs {
			<-hang
		}
	}))
	defer receiver.Close()
	defer close(hang)
	const token = "0123456789abcdef"
	p := serve(t, "", "ADMIN_TOKEN="+token)
	p.post(t, "/admin/notification-channels", token, `{"channel_type":"webhook","name":"ops","config":{"url":"`+receiver.URL+`","secret":"0123456789abcdef"}}`)
	p.post(t, "/admin/namespaces", token, `{"name":"prod"}`)
	p.post(t, "/admin/freeze", token, `{"kind":"namespace","name":"prod"}`)
	next := func() string {
		select {
		case id := <-ids:
			return id
		case <-time.After(20 * time.Second):
			t.Fatal("nothing came")
			return ""
		}
	}
	before := next()
	p.rest(t)
	q := serve(t, p.dir, "ADMIN_TOKEN="+token)
	if after := next(); after != before || before == "" {
		t.Errorf("delivered %q, and then %q", before, after)
	}
	q.stop(t)
}
