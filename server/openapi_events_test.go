package server_test

import (
	"bufio"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// A stream is an answer of lines that come as they come.
type stream struct {
	// rest are its lines but for the first one, once it has ended.
	rest <-chan [][]byte
	// line is what each of them is like.
	line located
}

// streamOf returns what a line of an operation's answer is like, if that is a
// stream.
func (p *player) streamOf(op *operation) (line located, ok bool) {
	line, ok = p.children(p.responses(op)["200"].at, "content")[api.EventsType]
	return line, ok
}

// listen opens a stream, answers with its first line, and keeps the others.
func (p *player) listen(t *testing.T, r servertest.Request, line located) servertest.Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, p.s.URL+r.Path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = r.Header
	resp, err := p.s.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Scan()
	first := slices.Clone(lines.Bytes())
	rest := make(chan [][]byte, 1)
	go func() {
		defer resp.Body.Close()
		var all [][]byte
		for lines.Scan() {
			all = append(all, slices.Clone(lines.Bytes()))
		}
		rest <- all
	}()
	p.streams = append(p.streams, stream{rest, line})
	return servertest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: first}
}

// checkStreams waits for the ends of the streams that were listened to, and
// checks their lines.
func (p *player) checkStreams(t *testing.T) {
	t.Helper()
	for _, s := range p.streams {
		select {
		case lines := <-s.rest:
			for _, text := range lines {
				value := parse(t, text)
				p.validate(t, string(text), s.line, value)
				p.mark(t, pointer(s.line.at, "schema"), value)
			}
		case <-time.After(time.Minute):
			t.Fatal("a stream does not end")
		}
	}
}
