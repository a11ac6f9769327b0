package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// health asks for anything at a URL, for so long.
func health(t *testing.T, url string, h *http.Client, patience time.Duration) error {
	t.Helper()
	c, err := client.New(client.Config{URL: url, HTTP: h})
	if err != nil {
		t.Fatal(err)
	}
	_, err = within(t.Context(), patience, func(ctx context.Context) (gift, error) {
		_, err := c.ProjectSettings(ctx, "", "app")
		if errors.Is(err, client.ErrNoAdminToken) {
			_, err = c.KeepJournal(ctx, "bot", nil, nil)
		}
		return gift{}, err
	})
	return err
}

// What is an outage, and what is not, by what really happens.
func TestAway(t *testing.T) {
	status := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	refusing := httptest.NewServer(nil)
	refusing.Close()
	hangs, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangs.Close() })
	closes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
	}))
	t.Cleanup(closes.Close)
	untrusted := httptest.NewTLSServer(nil)
	t.Cleanup(untrusted.Close)
	untrusted.Config.ErrorLog = nil
	dns := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "vault.example.com", IsNotFound: true}}
	}}}
	for _, row := range []struct {
		what, url string
		http      *http.Client
		want      bool
	}{
		{"nobody listens", refusing.URL, nil, true},
		{"nobody answers", "http://" + hangs.Addr().String(), nil, true},
		{"it closes the connection", closes.URL, nil, true},
		{"it has no address", "https://vault.example.com", dns, true},
		{"a proxy without a server", status(502), nil, true},
		{"it is sealed", status(503), nil, true},
		{"a proxy that waited", status(504), nil, true},
		{"it fails", status(500), nil, false},
		{"it says no", status(401), nil, false},
		{"it forbids", status(403), nil, false},
		{"it is asked too often", status(429), nil, false},
		{"it is full", status(507), nil, false},
		{"somebody else answers", untrusted.URL, nil, false},
		{"it speaks no TLS", strings.Replace(status(200), "http:", "https:", 1), nil, false},
	} {
		patience := time.Minute
		if row.what == "nobody answers" {
			patience = 200 * time.Millisecond
		}
		err := health(t, row.url, row.http, patience)
		if err == nil || away(err) != row.want {
			t.Errorf("%s: %v (%v)", row.what, away(err), err)
		}
	}
	if away(refusal{&api.Error{Status: 503}}) || away(context.Canceled) || away(fmt.Errorf("x: %w", errTooOften)) {
		t.Error("something else is an outage")
	}
}

// A day without the server is two lines.
func TestOutageIsTwoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := outage{log: slog.New(slog.NewTextHandler(&log, nil))}
		gone := fmt.Errorf("%w: %w", client.ErrUnreachable, errSlow)
		o.met(nil)
		for range 1000 {
			if !o.met(gone) || o.began().IsZero() {
				t.Fatal("not away")
			}
			time.Sleep(time.Minute)
		}
		if o.met(errTooOften) || o.began().IsZero() {
			t.Error("another error ends it")
		}
		o.met(nil)
		o.met(nil)
		if n := strings.Count(log.String(), "\n"); n != 2 || !strings.Contains(log.String(), `msg="the server is back" after=16h40m0s failures=1000`) || !o.began().IsZero() {
			t.Errorf("%d lines: %s", n, log.String())
		}
	})
}

// A run waits a few seconds for a server that has just gone, and hardly for one that
// was away before; whoever ends it does so at once.
func TestInsist(t *testing.T) {
	gone := fmt.Errorf("%w: %w", client.ErrUnreachable, errSlow)
	refuse := func(context.Context) (gift, error) { return gift{}, gone }
	hang := func(ctx context.Context) (gift, error) {
		<-ctx.Done()
		return gift{}, context.Cause(ctx)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			what     string
			before   bool
			ask      func(context.Context) (gift, error)
			from, to time.Duration
		}{
			{"refused", false, refuse, awayPatience - time.Second, awayPatience + time.Second},
			{"refused before", true, refuse, 0, 0},
			{"silent", false, hang, answerPatience, answerPatience},
			{"silent before", true, hang, awayAnswer, awayAnswer},
		} {
			d := &enrolment{outage: outage{log: slog.New(slog.DiscardHandler)}}
			if row.before {
				d.outage.met(gone)
				time.Sleep(awayPatience)
			}
			began, tries := time.Now(), 0
			_, err := d.insist(t.Context(), func(ctx context.Context) (gift, error) {
				tries++
				return row.ask(ctx)
			})
			if took := time.Since(began); !away(err) || took < row.from || took > row.to {
				t.Errorf("%s: %v after %v, %d times", row.what, err, took, tries)
			}
		}
		d := &enrolment{outage: outage{log: slog.New(slog.DiscardHandler)}}
		tries := 0
		got, err := d.insist(t.Context(), func(context.Context) (gift, error) {
			if tries++; tries < 3 {
				return gift{}, gone
			}
			return gift{waiting: "it"}, nil
		})
		if err != nil || got.waiting != "it" || !d.outage.began().IsZero() {
			t.Errorf("it came back: %v", err)
		}
		ctx, end := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, end)
		began := time.Now()
		if d.insist(ctx, hang); time.Since(began) != 10*time.Millisecond {
			t.Errorf("ended after %v", time.Since(began))
		}
	})
}

// Daemons that lose a server together come back spread over the time there is, and
// none waits too long.
func TestRetryIsSpread(t *testing.T) {
	for failures := range 20 {
		wait := min(shortestWait<<min(failures, 10), longestRetry)
		var early, late int
		for range 400 {
			got := retry(failures)
			if got < retryMoment || got > wait+retryMoment {
				t.Fatalf("after %d failures: %v", failures, got)
			}
			if got < wait/4 {
				early++
			}
			if got > wait*3/4 {
				late++
			}
		}
		if early < 40 || late < 40 {
			t.Errorf("after %d failures %d of 400 come early and %d late", failures, early, late)
		}
	}
}
