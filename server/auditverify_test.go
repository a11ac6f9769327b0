package server_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/audit/note"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestVerifyAuditOverHTTP(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	c, err := client.New(client.Config{URL: s.URL, AdminToken: opaque.New([]byte(s.AdminToken)), HTTP: s.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := c.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Secret(t, "a", "x")
	for _, since := range []*note.Note{nil, &n} {
		report, err := c.VerifyAudit(t.Context(), since)
		if err != nil || report.Broken != nil || !report.Keyed || report.First != 1 || report.Last != n.Seq+1 || report.Rows != report.Last {
			t.Errorf("%+v, %v", report, err)
		}
	}
	forged := n
	forged.Seq++
	for _, head := range []string{forged.String(), "hello", strings.ReplaceAll(n.String(), "\n", "\r\n")} {
		wantError(t, s.TryAdmin(t, "POST", "/admin/audit/verify", api.VerifyAudit{SinceHead: head}), http.StatusBadRequest, api.InvalidRequest)
	}
	for token, ok := range readers(t, s) {
		answer := as(t, s, token, "POST", "/admin/audit/verify", struct{}{})
		if ok != (answer.Status == http.StatusOK) {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		if !ok {
			wantError(t, answer, http.StatusForbidden, api.Forbidden)
		}
	}
}

// Whoever asks while another asks is told to come back.
func TestOneVerificationAtATime(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	var lock sync.Mutex
	seen := map[int]int{}
	patience := time.After(time.Minute)
	for {
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				answer := s.TryAdmin(t, "POST", "/admin/audit/verify", struct{}{})
				if answer.Status == http.StatusTooManyRequests && answer.Header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
				lock.Lock()
				defer lock.Unlock()
				seen[answer.Status]++
			})
		}
		asking.Wait()
		if seen[http.StatusTooManyRequests] > 0 && seen[http.StatusOK] > 0 {
			break
		}
		select {
		case <-patience:
			t.Fatalf("answers: %v", seen)
		default:
			for range 20 {
				s.TryAdmin(t, "GET", "/admin/secrets/none", nil) // one record each
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("answers: %v", seen)
	}
}
