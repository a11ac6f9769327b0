package server_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// BenchmarkFetch is one attested fetch of ten secrets, over real HTTP, on a
// real file with real fsyncs. The client's part, its signature included, runs
// in the same process.
func BenchmarkFetch(b *testing.B) {
	for _, conns := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) { benchmarkFetch(b, conns) })
	}
}

func benchmarkFetch(b *testing.B, conns int) {
	s := servertest.With(b, servertest.Config{Unlimited: true})
	var names []string
	for i := range 10 {
		s.Grant(b, "app", s.Secret(b, fmt.Sprintf("secret_%d", i), "sk-0123456789abcdef0123456789abcdef"))
		names = append(names, fmt.Sprintf("SECRET_%d", i))
	}
	a := s.Enrol(b, "bot")
	token := a.Obtain(b, "app", names...).Token
	transport := s.HTTP.Transport.(*http.Transport)
	transport.MaxIdleConnsPerHost = conns
	id := proof.AuthTokenID(token)
	work := make(chan struct{})
	done := make(chan error, conns)
	b.ReportAllocs()
	for range conns {
		go func() {
			for range work {
				if err := fetchOnce(s, a, token, id); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	for range conns {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func fetchOnce(s *servertest.Server, a *servertest.Agent, token, id string) error {
	req, err := http.NewRequest("GET", s.URL+"/project/secrets/app", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Daemon-Attestation", a.Sign("GET", "/project/secrets/app", nil, id))
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}
