package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault"
)

// maxWait is the longest a request may wait for something to happen.
const maxWait = time.Minute

// How many may wait at a time, and listen to events: in all, from one source,
// and for one agent. Both hold connections, of which others need some too.
const (
	maxWaits   = 512
	maxStreams = 1024
	maxStaying = 256
	maxPolls   = 32
)

// crowded is the answer where every seat is taken.
var crowded = &limit.Exceeded{After: 5 * time.Second}

// wait returns the query parameter of that name, 0 if there is none.
func (q *request) wait() (time.Duration, error) {
	text, err := q.query("wait")
	if err != nil || text == "" {
		return 0, err
	}
	d, err := time.ParseDuration(text)
	if seconds, isNumber := strconv.ParseUint(text, 10, 16); isNumber == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < 0 || d > maxWait {
		return 0, &vault.InvalidError{Field: "wait", Reason: "must be a duration up to 60s, such as 30s"}
	}
	return d, nil
}

// stay lets a request take that much longer than others. Without it the server
// would take a client that waits for one that stalls, and hang up.
func (q *request) stay(d time.Duration) {
	now, c := time.Now(), http.NewResponseController(q.conn)
	// What cannot be set, as in tests without a connection, does not end either.
	_ = c.SetReadDeadline(now.Add(d + readTimeout))
	_ = c.SetWriteDeadline(now.Add(d + writeTimeout))
}

// await calls look whenever there is news, until it reports that it saw what
// it waits for, the time is over, or the server stops.
func (s *Server) await(ctx context.Context, d time.Duration, w *vault.Watch, look func() (bool, error)) error {
	over := time.NewTimer(d)
	defer over.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-w.Ready():
			if _, err := w.Take(); err != nil {
				return err
			}
		case <-over.C:
			return nil
		case <-s.closing:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hangUp ends what waits and listens, so that the server can stop.
func (s *Server) hangUp() { s.once.Do(func() { close(s.closing) }) }
