package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A body is wiped by whoever is last: the call, or a transport that still
// reads it.
func TestSentIsWiped(t *testing.T) {
	s := &sent{bytes: []byte("hush")}
	first, _ := s.reader()
	second, _ := s.reader()
	first.Close()
	first.Close()
	s.over()
	if got, err := io.ReadAll(second); err != nil || string(got) != "hush" {
		t.Errorf("a reader got %q, %v", got, err)
	}
	second.Close()
	if !bytes.Equal(s.bytes, make([]byte, 4)) {
		t.Errorf("left %q", s.bytes)
	}
}

func TestSentIsWipedWithoutReaders(t *testing.T) {
	b := []byte("hush")
	(&sent{bytes: b}).over()
	if !bytes.Equal(b, make([]byte, 4)) {
		t.Errorf("left %q", b)
	}
}

// A transport may return a refusal and go on sending the body: what it sends
// is the body, whatever became of the call.
func TestAnswerBeforeTheBodyIsSent(t *testing.T) {
	e := early{goOn: make(chan struct{}), sent: make(chan string), body: make(chan *sent, 1)}
	c, err := New(Config{URL: "https://v.example", HTTP: &http.Client{Transport: e}, AdminToken: opaque.New([]byte("x"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateSecret(t.Context(), "id", api.UpdateSecret{Value: api.NewValue([]byte("hush"))}); !errors.Is(err, api.Unauthorized) {
		t.Fatal(err)
	}
	body := <-e.body
	close(e.goOn)
	if got := <-e.sent; got != `{"value":"hush"}` {
		t.Errorf("sent %q", got)
	}
	if !bytes.Equal(body.bytes, make([]byte, len(body.bytes))) {
		t.Errorf("left %q", body.bytes)
	}
}

// early answers before it reads the body.
type early struct {
	goOn chan struct{}
	sent chan string
	body chan *sent
}

func (e early) RoundTrip(r *http.Request) (*http.Response, error) {
	e.body <- r.Body.(*sentReader).of
	go func() {
		<-e.goOn
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		e.sent <- string(b)
	}()
	body := io.NopCloser(strings.NewReader(`{"error":"who?","error_code":"unauthorized"}`))
	return &http.Response{StatusCode: http.StatusUnauthorized, Body: body, ContentLength: -1, Request: r}, nil
}

// A connection that the server has closed meanwhile is replaced, and the body
// sent again.
func TestBodyIsSentAgain(t *testing.T) {
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = append(got, string(b))
		io.WriteString(w, `{}`)
	}))
	defer srv.Close()
	again := &tryAgain{}
	c, err := New(Config{URL: srv.URL, HTTP: &http.Client{Transport: again}, AdminToken: opaque.New([]byte("x"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateSecret(t.Context(), "id", api.UpdateSecret{Value: api.NewValue([]byte("v"))}); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != `{"value":"v"}` || again.length != int64(len(got[0])) {
		t.Errorf("sent %q, announced %d bytes", got, again.length)
	}
}

// tryAgain does what a transport does whose first connection turned out to be
// closed: it takes the body from the request anew.
type tryAgain struct{ length int64 }

func (a *tryAgain) RoundTrip(r *http.Request) (*http.Response, error) {
	a.length = r.ContentLength
	io.CopyN(io.Discard, r.Body, 3)
	r.Body.Close()
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = body
	return http.DefaultTransport.RoundTrip(r)
}
