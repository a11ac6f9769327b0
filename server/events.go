package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

const (
	// heartbeat is how often a stream shows that it lives.
	heartbeat = api.HeartbeatSeconds * time.Second
	// streamStall is how long a write to a stream may take.
	streamStall = 10 * time.Second
)

// A stream is an answer that is written as it comes.
type stream func(w http.ResponseWriter) error

// daemonEvents lets a daemon listen to what it should act on at once.
func (s *Server) daemonEvents(ctx context.Context, q *request) (stream, error) {
	leave, ok := s.streams.Take(q.client.Source.String())
	if !ok {
		return nil, crowded
	}
	watch, expires, err := s.vault.WatchEvents(ctx, q.By)
	if err != nil {
		leave()
		return nil, err
	}
	l := &listener{watch: watch, expires: expires, closing: s.closing}
	return func(w http.ResponseWriter) error {
		defer leave()
		defer watch.Close()
		if q.Method == http.MethodHead {
			w.Header().Set("Content-Type", api.EventsType)
			w.WriteHeader(http.StatusOK)
			return nil
		}
		return l.serve(ctx, w)
	}, nil
}

// A listener is a daemon that listens.
type listener struct {
	watch   *vault.Watch
	expires time.Time
	closing <-chan struct{}

	out     *http.ResponseController
	encoder *json.Encoder
}

// serve writes events until the daemon goes away, its session ends, or the
// server stops.
func (l *listener) serve(ctx context.Context, w http.ResponseWriter) error {
	l.out, l.encoder = http.NewResponseController(w), json.NewEncoder(w)
	l.encoder.SetEscapeHTML(false)
	_ = l.out.SetReadDeadline(time.Time{}) // nothing more is read, for however long
	h := w.Header()
	h.Set("Content-Type", api.EventsType)
	h.Set("X-Accel-Buffering", "no") // a proxy that collects lines would look like silence
	w.WriteHeader(http.StatusOK)
	if err := l.write(api.Event{Event: api.EventOpen, HeartbeatSeconds: api.HeartbeatSeconds}); err != nil {
		return err
	}
	beat, end := time.NewTicker(heartbeat), time.NewTimer(time.Until(l.expires))
	defer beat.Stop()
	defer end.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-l.closing:
			return l.end(api.EndShutdown)
		case <-end.C:
			return errors.Join(l.write(api.Event{Event: api.EventSessionEnded}), l.end(api.EndSession))
		case <-l.watch.Ready():
			var ended bool
			if ended, err = l.deliver(); ended {
				return err
			}
		case <-beat.C:
			err = l.write(api.Event{Event: api.EventHeartbeat})
		}
		if err != nil {
			return err
		}
	}
}

// deliver writes what was heard, and reports whether that was all there will be.
func (l *listener) deliver() (ended bool, err error) {
	events, over := l.watch.Take()
	for _, e := range events {
		if err := l.write(wireEvent(e)); err != nil {
			return true, err
		}
		if e.Kind == vault.EventSessionEnded {
			return true, l.end(api.EndSession)
		}
	}
	switch {
	case errors.Is(over, vault.ErrReplaced):
		return true, l.end(api.EndReplaced)
	case errors.Is(over, vault.ErrSealed):
		return true, l.end(api.EndSealed)
	}
	return over != nil, over
}

// end says why there will be nothing more.
func (l *listener) end(reason string) error {
	return l.write(api.Event{Event: api.EventEnd, Reason: reason})
}

// write sends one line. A daemon that does not read it in time is hung up on,
// and asks anew.
func (l *listener) write(e api.Event) error {
	_ = l.out.SetWriteDeadline(time.Now().Add(streamStall))
	if err := l.encoder.Encode(e); err != nil {
		return err
	}
	if err := l.out.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func wireEvent(e vault.Event) api.Event {
	out := api.Event{
		Event: string(e.Kind), Seq: e.Seq, Kind: string(e.What), Name: e.Name,
		ProjectName: e.Project, EnvVarNames: e.Variables, GrantID: e.GrantID, Status: e.Status,
	}
	if !e.At.IsZero() {
		out.At = new(api.NewTime(e.At))
	}
	if len(e.OnFreeze) > 0 {
		out.OnFreeze = map[string]string{}
		for project, rule := range e.OnFreeze {
			out.OnFreeze[project] = string(rule)
		}
	}
	return out
}
