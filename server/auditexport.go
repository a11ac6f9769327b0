package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// exportAudit sends a part of the trail in a form that can be checked without
// the vault.
func (s *Server) exportAudit(ctx context.Context, q *request) (stream, error) {
	if q.Method == http.MethodHead {
		return nil, errNoRoute // whoever only asks gets no export recorded
	}
	if err := q.only("since", "until"); err != nil {
		return nil, err
	}
	since, until, err := q.span()
	if err != nil {
		return nil, err
	}
	// To find the first row may take a while; a deadline that passes while nothing
	// more is to be read would look like a client that went away.
	out := &patient{q.conn, http.NewResponseController(q.conn)}
	_ = errors.Join(out.control.SetReadDeadline(time.Time{}), out.control.SetWriteDeadline(time.Now().Add(copyTimeout)))
	x, err := s.vault.ExportAudit(ctx, q.By, since, until)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) error {
		defer x.Close()
		h := w.Header()
		h.Set("Content-Type", api.ExportType)
		h.Set("Content-Disposition", `attachment; filename="cortex-audit.jsonl"`)
		h.Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		out.ResponseWriter = w
		return x.WriteTo(ctx, out)
	}, nil
}
