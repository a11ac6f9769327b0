package client

import (
	"net/http"
	"sync"
	"time"
)

// A Contact is the last time that something came from a server.
type Contact struct {
	At time.Time // the zero one for never
	// Off is by how much the server's clock was ahead of this host's at the last answer, at
	// least, negative if it was behind. Clock is false where the server did not say.
	Off   time.Duration
	Clock bool
}

// Contact returns the last contact with the server, by whatever request.
func (c *Client) Contact() Contact {
	c.contact.mu.Lock()
	defer c.contact.mu.Unlock()
	return c.contact.last
}

// A contact is the last one. The zero value is none.
type contact struct {
	mu   sync.Mutex // guards last
	last Contact
}

// answered notes an answer to a request that was sent at a time.
func (c *contact) answered(sent time.Time, resp *http.Response) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.At = now.Round(0)
	if there, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		c.last.Off, c.last.Clock = ClockOff(there, sent, now), true
	}
}

// heard notes that something came.
func (c *contact) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last.At = time.Now().Round(0)
}

// ClockOff returns by how much a clock is ahead of this host's, at least, and negative if
// it is behind: it showed a time, in whole seconds, between two times here.
func ClockOff(there, before, after time.Time) time.Duration {
	switch {
	case there.Add(time.Second).Before(before):
		return there.Add(time.Second).Sub(before).Round(time.Second)
	case there.After(after):
		return there.Sub(after).Round(time.Second)
	}
	return 0
}
