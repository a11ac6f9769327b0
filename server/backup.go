package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/vault/backup"
)

// backup sends a copy of the vault, encrypted as it stands.
func (s *Server) backup(ctx context.Context, q *request) (stream, error) {
	if q.Method == http.MethodHead {
		return nil, errNoRoute // whoever only asks gets no copy made
	}
	// The copy is made before the answer begins, which may take a while.
	_ = http.NewResponseController(q.conn).SetWriteDeadline(time.Now().Add(copyTimeout))
	b, err := s.vault.Backup(ctx, q.By)
	if err != nil {
		return nil, err
	}
	length, err := b.Header.Length()
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) error {
		defer b.Close()
		h := w.Header()
		h.Set("Content-Type", backup.Type)
		h.Set("Content-Length", strconv.FormatInt(length, 10))
		h.Set("Content-Disposition", `attachment; filename="cortex.backup"`)
		w.WriteHeader(http.StatusOK)
		_, err := b.WriteTo(&patient{w, http.NewResponseController(w)})
		return err
	}, nil
}

// copyTimeout is how long the copy may take, and the first write after it.
const copyTimeout = 15 * time.Minute

// A patient writer lets an answer take as long as it does, as long as each part
// of it gets away in time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write writes b, which is no more than a few pages.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	return p.ResponseWriter.Write(b)
}
