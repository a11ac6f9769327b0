package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// Silence is how long a stream of events may say nothing before it is dead.
const Silence = 3 * api.HeartbeatSeconds * time.Second

// maxEvent is the longest event read, in bytes.
const maxEvent = 1 << 20

// ErrSilent is returned for a stream that was silent for too long: the server
// or the network is away.
var ErrSilent = errors.New("the server fell silent")

// Events listens to what the daemon that by attests for should act on, and
// yields it as it comes: [api.EventOpen] first, heartbeats too. It ends with an
// error, after the first one, or without one after [api.EventEnd]. A server
// that is silent for [Silence] is [ErrSilent], also before the first event.
func (c *Client) Events(ctx context.Context, agentID string, by Attester) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		silence := time.AfterFunc(Silence, func() { cancel(ErrSilent) })
		defer silence.Stop()
		resp, err := c.listen(ctx, agentID, by)
		if err != nil {
			yield(api.Event{}, err)
			return
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, maxEvent)
		for lines.Scan() {
			silence.Reset(Silence)
			c.contact.heard()
			var e api.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				yield(api.Event{}, fmt.Errorf("%w: %s", ErrAnswer, jsonProblem(err)))
				return
			}
			if !yield(e, nil) || e.Event == api.EventEnd {
				return
			}
		}
		err = lines.Err()
		if err == nil {
			err = errors.New("the stream broke off")
		}
		yield(api.Event{}, c.unreachable(ctx, err))
	}
}

// listen opens the stream.
func (c *Client) listen(ctx context.Context, agentID string, by Attester) (*http.Response, error) {
	r := request{method: http.MethodGet, path: at("/daemon/events"), header: http.Header{}}
	if err := attest(by, &r, proof.AgentTokenID(agentID)); err != nil {
		return nil, err
	}
	req, err := c.build(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	return c.open(ctx, c.patient, req)
}
