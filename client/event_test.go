package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// A wire is a network: it answers with what is written to it.
type wire struct {
	status int
	body   io.ReadCloser
}

// RoundTrip answers, and breaks off when the request is given up.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.body == nil { // nobody answers
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	context.AfterFunc(r.Context(), func() { w.body.Close() })
	return &http.Response{StatusCode: w.status, Header: http.Header{}, Body: w.body, ContentLength: -1, Request: r}, nil
}

func over(t *testing.T, w wire) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: "https://vault.example", HTTP: &http.Client{Transport: w, Timeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A stream lives as long as it says something, and is dead after 15 seconds
// without, from the first moment on.
func TestEventsFallSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, server := io.Pipe()
		c := over(t, wire{http.StatusOK, r})
		go func() {
			io.WriteString(server, `{"event":"open","heartbeat_seconds":5}`+"\n")
			for range 10 {
				time.Sleep(14 * time.Second)
				io.WriteString(server, `{"event":"heartbeat"}`+"\n")
			}
		}()
		started, heard := time.Now(), 0
		var last error
		for e, err := range c.Events(t.Context(), "bot", nil) {
			if last = err; err == nil && (heard == 0) == (e.Event == api.EventOpen) {
				heard++
			}
		}
		if heard != 11 || !errors.Is(last, client.ErrSilent) || time.Since(started) != 155*time.Second {
			t.Errorf("heard %d, then %v after %s", heard, last, time.Since(started))
		}

		started = time.Now()
		for e, err := range over(t, wire{}).Events(t.Context(), "bot", nil) {
			if !errors.Is(err, client.ErrSilent) || time.Since(started) != client.Silence {
				t.Errorf("%+v, %v after %s", e, err, time.Since(started))
			}
		}
	})
}

func TestEndsOfEvents(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		text   string
		events int
		want   error // nil: none
	}{
		"end":        {200, `{"event":"open"}` + "\n" + `{"event":"end","reason":"shutdown"}` + "\n" + `{"event":"late"}` + "\n", 2, nil},
		"broken off": {200, `{"event":"open"}` + "\n", 1, client.ErrUnreachable},
		"half":       {200, `{"event":"op`, 0, client.ErrAnswer},
		"no JSON":    {200, "hello\n", 0, client.ErrAnswer},
		"too long":   {200, `{"event":"` + strings.Repeat("x", 2<<20) + `"}` + "\n", 0, client.ErrUnreachable},
		"refused":    {401, `{"error":"authentication failed","error_code":"unauthorized"}`, 0, api.Unauthorized},
		"old server": {404, "", 0, nil},
	} {
		c := over(t, wire{tc.status, io.NopCloser(strings.NewReader(tc.text))})
		events := 0
		var last error
		for _, err := range c.Events(t.Context(), "bot", nil) {
			if last = err; err == nil {
				events++
			}
		}
		if events != tc.events || tc.want != nil && !errors.Is(last, tc.want) || tc.want == nil && tc.status == 200 && last != nil || tc.status != 200 && last == nil {
			t.Errorf("%s: %d events, then %v", name, events, last)
		}
	}
	// Whoever has heard enough stops.
	for range over(t, wire{200, io.NopCloser(strings.NewReader("{}\n{}\n"))}).Events(t.Context(), "bot", nil) {
		break
	}
}
