package server_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// What an administrator does reaches the daemon it is about, and names only.
func TestEvents(t *testing.T) {
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1, TLS: tls})
			a := staged(t, s)
			a.Obtain(t, "app", "OPENAI_API_KEY")
			other := s.Enrol(t, "other")
			quiet := other.Listen(t)
			l := a.Listen(t)
			want := func(e api.Event) {
				t.Helper()
				got := l.Next(t)
				if got.Seq == 0 || got.At == nil {
					t.Errorf("%+v has no number or time", got)
				}
				got.Seq, got.At = 0, nil
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", e) {
					t.Errorf("got %+v, want %+v", got, e)
				}
			}
			var secrets []api.Secret
			s.Admin(t, "GET", "/admin/secrets", nil, &secrets)
			id := secrets[slices.IndexFunc(secrets, func(s api.Secret) bool { return s.KeyPath == "openai_api_key" })].ID
			s.Admin(t, "PUT", "/admin/secrets/"+id, `{"value":"sk-new"}`, nil)
			want(api.Event{Event: api.EventSecretChanged, ProjectName: "app", EnvVarNames: []string{"OPENAI_API_KEY"}})
			freeze(t, s, api.KindSecret, "openai_api_key")
			want(api.Event{Event: api.EventFreeze, Kind: api.KindSecret, Name: "openai_api_key", ProjectName: "app", EnvVarNames: []string{"OPENAI_API_KEY"}})
			unfreeze(t, s, api.KindSecret, "openai_api_key")
			want(api.Event{Event: api.EventUnfreeze, Kind: api.KindSecret, Name: "openai_api_key", ProjectName: "app", EnvVarNames: []string{"OPENAI_API_KEY"}})
			freeze(t, s, api.KindProject, "app")
			want(api.Event{Event: api.EventFreeze, Kind: api.KindProject, Name: "app", ProjectName: "app"})
			unfreeze(t, s, api.KindProject, "app")
			want(api.Event{Event: api.EventUnfreeze, Kind: api.KindProject, Name: "app", ProjectName: "app"})
			grant := begin(t, a, "app", "OPENAI_API_KEY", "PASSWORD")
			s.Admin(t, "POST", "/admin/pending-grants/"+grant+"/approve", `{}`, nil)
			want(api.Event{Event: api.EventGrantDecided, ProjectName: "app", EnvVarNames: []string{"PASSWORD"}, GrantID: grant, Status: api.StatusApproved})
			s.Admin(t, "POST", "/admin/projects/app/revoke", nil, nil)
			want(api.Event{Event: api.EventRevoke, ProjectName: "app"})
			freeze(t, s, api.KindAgent, "bot")
			want(api.Event{Event: api.EventFreeze, Kind: api.KindAgent, Name: "bot"})
			// While it is frozen it hears nothing else.
			s.Admin(t, "PUT", "/admin/secrets/"+id, `{"value":"sk-3"}`, nil)
			wantError(t, a.Ask(t, "/daemon/events", ""), http.StatusUnauthorized, api.Unauthorized)
			unfreeze(t, s, api.KindAgent, "bot")
			want(api.Event{Event: api.EventUnfreeze, Kind: api.KindAgent, Name: "bot"})
			s.Admin(t, "DELETE", "/admin/daemon-sessions/"+a.SessionID, nil, nil)
			want(api.Event{Event: api.EventSessionEnded})
			if e := l.Next(t); e.Event != api.EventEnd || e.Reason != api.EndSession {
				t.Errorf("%+v", e)
			}
			if e, more := l.Read(t); more {
				t.Errorf("%+v comes after the end", e)
			}
			// The other agent heard of none of that.
			freeze(t, s, api.KindNamespace, "default")
			if e := quiet.Next(t); e.Event != api.EventFreeze || e.Kind != api.KindNamespace {
				t.Errorf("%+v", e)
			}
		})
	}
}

// Every end of a session is told, and ends the stream.
func TestSessionEndEvents(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *servertest.Server, *servertest.Agent){
		"agent deleted": func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/agents/bot", nil, nil)
		},
		"device deleted": func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/devices/bot", nil, nil)
		},
		"newer session": func(t *testing.T, _ *servertest.Server, a *servertest.Agent) { a.Attest(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
			a := s.Enrol(t, "bot")
			l := a.Listen(t)
			end(t, s, a)
			if e := l.Next(t); e.Event != api.EventSessionEnded {
				t.Errorf("%+v", e)
			}
			if e := l.Next(t); e.Event != api.EventEnd || e.Reason != api.EndSession {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestSecondStreamReplacesTheFirst(t *testing.T) {
	s := servertest.New(t)
	a := s.Enrol(t, "bot")
	first := a.Listen(t)
	second := a.Listen(t)
	if e := first.Next(t); e.Event != api.EventEnd || e.Reason != api.EndReplaced {
		t.Errorf("%+v", e)
	}
	freeze(t, s, api.KindAgent, "bot")
	if e := second.Next(t); e.Event != api.EventFreeze {
		t.Errorf("%+v", e)
	}
}

// A stream needs the daemon's signature, for itself, fresh, and used once.
func TestEventsNeedAnAttestation(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a, b := s.Enrol(t, "bot"), s.Enrol(t, "other")
	const path = "/daemon/events"
	used := a.Signed(path)
	get := func(h http.Header) servertest.Answer {
		return s.Do(t, servertest.Request{Method: http.MethodHead, Path: path, Header: h})
	}
	if answer := get(used); answer.Status != http.StatusOK {
		t.Fatalf("%d", answer.Status)
	}
	b.SessionID = a.SessionID // a's session, and another's key
	for name, h := range map[string]http.Header{
		"none":          {},
		"replay":        used,
		"other path":    a.Signed("/daemon/event"),
		"other agent":   {"X-Daemon-Attestation": {a.Sign("GET", path, nil, "agent:other")}},
		"other key":     b.Signed(path),
		"other method":  {"X-Daemon-Attestation": {a.Sign("POST", path, nil, "agent:bot")}},
		"with a body":   {"X-Daemon-Attestation": {a.Sign("GET", path, []byte("x"), "agent:bot")}},
		"project token": {"X-Daemon-Attestation": {a.Sign("GET", path, nil, strings.Repeat("ab", 32))}},
		"admin token":   {"X-Admin-Token": {s.AdminToken}},
		"malformed":     {"X-Daemon-Attestation": {"a.b.c"}},
		"twice":         {"X-Daemon-Attestation": {a.Signed(path).Get("X-Daemon-Attestation"), a.Signed(path).Get("X-Daemon-Attestation")}},
	} {
		if answer := get(h); answer.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, answer.Status)
		}
	}
	// Also where nothing else has to be signed.
	free := servertest.With(t, servertest.Config{NoAttestation: true})
	if answer := free.Do(t, servertest.Request{Path: path, Method: http.MethodGet}); answer.Status != http.StatusUnauthorized {
		t.Errorf("without attestation: %d", answer.Status)
	}
}

// Sealing ends streams, and the daemon knows why.
func TestSealEndsStreams(t *testing.T) {
	s := servertest.New(t)
	l := s.Enrol(t, "bot").Listen(t)
	if err := s.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	if e := l.Next(t); e.Event != api.EventEnd || e.Reason != api.EndSealed {
		t.Errorf("%+v", e)
	}
}

// A stop ends streams at once.
func TestStopEndsStreams(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	var streams []*servertest.Stream
	for n := range 20 {
		streams = append(streams, s.Enrol(t, fmt.Sprintf("bot-%d", n)).Listen(t))
	}
	// Far less than a drain may take, and more than a slow machine needs.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Errorf("stopping took too long: %v", err)
	}
	for _, l := range streams {
		if e := l.Next(t); e.Event != api.EventEnd || e.Reason != api.EndShutdown {
			t.Errorf("%+v", e)
		}
	}
}

// A daemon that does not read holds nobody up, and is hung up on.
func TestSlowReaderOfEvents(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	changes := func() time.Duration {
		began := time.Now()
		for range 200 {
			freeze(t, s, api.KindProject, "app")
			unfreeze(t, s, api.KindProject, "app")
		}
		return time.Since(began)
	}
	alone := changes()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Of a socket that takes little, the server notices soon that nobody reads.
	if err := conn.(*net.TCPConn).SetReadBuffer(1024); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /daemon/events HTTP/1.1\r\nHost: x\r\nX-Daemon-Attestation: %s\r\n\r\n", a.Signed("/daemon/events").Get("X-Daemon-Attestation"))
	first := make([]byte, 12)
	if _, err := conn.Read(first); err != nil || !bytes.Equal(first, []byte("HTTP/1.1 200")) {
		t.Fatalf("%q, %v", first, err)
	}
	if took := changes(); took > 20*time.Second+3*alone {
		t.Errorf("400 changes took %s behind a reader that does not read, and %s without one", took, alone)
	}
}
