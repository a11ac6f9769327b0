package e2e_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// Strangers by the thousand, each from an address of its own, with tokens and
// signatures that have everything but the right key, leave behind what a few
// would.
func TestStrangersLeaveNoTrace(t *testing.T) {
	s := newStage(t)
	server := s.serve("CORTEX_RATE_LIMITS=", "CORTEX_TRUSTED_PROXIES=127.0.0.1")
	m := s.imitator()
	const half = 50_000
	// The first half fills what has bounds.
	m.send(t, half)
	memory, size := anonymous(t, server.Process.Pid), fileSize(t, filepath.Join(s.dir, "vault.db"))
	m.send(t, half)
	grown, larger := anonymous(t, server.Process.Pid), fileSize(t, filepath.Join(s.dir, "vault.db"))
	t.Logf("memory %d KiB, then %d; file %d KiB, then %d", memory>>10, grown>>10, size>>10, larger>>10)
	if grown > memory+32<<20 {
		t.Errorf("memory grew from %d to %d bytes", memory, grown)
	}
	if larger > size+4<<20 {
		t.Errorf("the file grew from %d to %d bytes", size, larger)
	}
	s.stop(server)
	if rows := s.verifyAudit(); rows > half/20 {
		t.Errorf("%d records of %d failures", rows, 2*half)
	}
}

// An imitator sends what an administrator and an agent with its daemon send,
// with one thing wrong.
type imitator struct {
	*load
	agent *servertest.Agent
	token string
	next  atomic.Int64
}

// imitator has an agent to imitate.
func (s *stage) imitator() *imitator {
	s.t.Helper()
	remote := &servertest.Server{URL: s.url, AdminToken: e2e.AdminToken, HTTP: http.DefaultClient}
	m := &imitator{load: s.load(), agent: remote.Enrol(s.t, "bot")}
	remote.Secret(s.t, "openai_api_key", "sk-e2e")
	m.token = m.agent.Obtain(s.t, "app", "OPENAI_API_KEY").Token
	if a := m.agent.Fetch(s.t, "app", m.token); a.Status != http.StatusOK {
		s.t.Fatalf("what is imitated does not work: %d %s", a.Status, a.Body)
	}
	return m
}

// send sends that many requests more, all of which have to be refused.
func (m *imitator) send(t *testing.T, many int64) {
	t.Helper()
	last := m.next.Load() + many
	errs := make(chan error, crowd)
	for range crowd {
		go func() { errs <- m.sendUntil(last) }()
	}
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
	m.next.Store(last)
}

func (m *imitator) sendUntil(last int64) error {
	for i := m.next.Add(1); i <= last; i = m.next.Add(1) {
		r := m.imitation(i)
		r.header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", i>>8&255, i&255))
		status, answer, err := m.do(r.method, r.path, r.body, r.header)
		if err != nil {
			return err
		}
		if status != http.StatusUnauthorized && status != http.StatusTooManyRequests {
			return fmt.Errorf("%s %s: status %d %s", r.method, r.path, status, answer)
		}
	}
	return nil
}

type imitation struct {
	method, path, body string
	header             http.Header
}

// imitation is the i-th: with no administrator's token, with none of a project,
// a fetch that a good daemon signed for another project, and a discovery of a
// good daemon with the proof of another agent's key.
func (m *imitator) imitation(i int64) imitation {
	const path = "/project/secrets/app"
	switch i % 4 {
	case 0:
		return imitation{method: "GET", path: "/admin/secrets", header: http.Header{"X-Admin-Token": {fmt.Sprint("no-such-token-", i)}}}
	case 1:
		return imitation{method: "GET", path: path, header: http.Header{"Authorization": {fmt.Sprint("Bearer no-such-token-", i)}}}
	case 2:
		return imitation{method: "GET", path: path, header: m.signedFor(path + "-2")}
	}
	return m.wrongProof()
}

// signedFor is the header of a fetch from a path, with the token of the project
// app.
func (m *imitator) signedFor(path string) http.Header {
	return http.Header{
		"Authorization":        {"Bearer " + m.token},
		"X-Daemon-Attestation": {m.agent.Sign("GET", path, nil, proof.AuthTokenID(m.token))},
	}
}

func (m *imitator) wrongProof() imitation {
	const path = "/agent/discover"
	d := m.agent.Discovery("app", "OPENAI_API_KEY")
	d.AuthProof = proof.EncodeSignature(ed25519.Sign(m.agent.Attestation, proof.AgentMessage(*d.TS, *d.Nonce, d.AgentID)))
	body, err := json.Marshal(d)
	if err != nil {
		panic("e2e: " + err.Error()) // unreachable: it is made of strings
	}
	attestation := m.agent.Sign("POST", path, body, proof.AgentTokenID(m.agent.ID))
	return imitation{"POST", path, string(body), http.Header{"X-Daemon-Attestation": {attestation}}}
}
