package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// How long bodies may be, in bytes. Anybody can send one, so what is held of
// all of them together is bounded as well.
const (
	maxBody       = 2 << 20
	maxDeviceBody = 4 << 10 // a code and little else, from strangers
	maxAttestBody = 16 << 10

	maxCommandBody = pinned.MaxCommand + 4<<10
	maxPinBody     = pinned.MaxPin + 4<<10

	// freeBody is how much of each body counts for nothing: ordinary requests
	// never depend on what others send.
	freeBody = 4 << 10
	// bodyBudget is for everything above that, in all requests together.
	bodyBudget = 64 << 20
)

// errCrowded is the error about a body that there is no room for, now.
var errCrowded = errors.New("too many large requests at once; try again")

// errBody is the error about a body that ends early, or is not framed as it
// says it is.
var errBody = errors.New("the body could not be read: it ends too early, or its chunks are malformed")

// atMost makes an endpoint refuse bodies longer than n bytes.
func atMost(n int64, e endpoint) endpoint {
	return func(ctx context.Context, q *request) (int, any, error) {
		q.most = n
		return e(ctx, q)
	}
}

// A room is the memory that one body takes.
type room struct {
	budget *limit.Budget
	taken  int64
}

// grow makes room for a buffer of n bytes in place of the one before.
func (r *room) grow(n int64) error {
	more := n - freeBody - r.taken
	if more <= 0 {
		return nil
	}
	if !r.budget.Take(more) {
		return errCrowded
	}
	r.taken += more
	return nil
}

// leave gives back what was taken. It can be called again.
func (r *room) leave() {
	r.budget.Give(r.taken)
	r.taken = 0
}

// readBody is io.ReadAll for secrets: it wipes what it leaves behind as it
// grows. It trusts no announced length, which would let anybody reserve memory
// with a header: a buffer is at most twice as long as what arrived.
func readBody(body io.Reader, r *room) ([]byte, error) {
	b := make([]byte, 0, 1024)
	for {
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		switch {
		case err != nil:
			err = fmt.Errorf("%w: %w", errBody, err)
		case len(b) == cap(b):
			b, err = enlarge(b, r)
		}
		if err != nil {
			clear(b)
			return nil, err
		}
	}
}

// enlarge moves b to a buffer of twice its length.
func enlarge(b []byte, r *room) ([]byte, error) {
	n := 2 * cap(b)
	if err := r.grow(int64(n)); err != nil {
		return b, err
	}
	grown := append(make([]byte, 0, n), b...)
	clear(b)
	return grown, nil
}

// body reads the body, whatever it says it is.
func (q *request) body() ([]byte, error) {
	if q.ContentLength > q.most {
		return nil, &http.MaxBytesError{Limit: q.most}
	}
	var err error
	q.raw, err = readBody(http.MaxBytesReader(q.conn, q.Body, q.most), &q.room)
	return q.raw, err
}
