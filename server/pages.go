package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cortex-auth/cortex/server/web"
	"github.com/cortex-auth/cortex/vault"
)

// devicePage is the form on which a device is approved. It never approves by
// itself: the person types the code, the agent and the admin token.
func (s *Server) devicePage(context.Context, *request) (web.File, error) {
	return page("device.html")
}

// static returns what a page loads.
func (s *Server) static(_ context.Context, q *request) (web.File, error) {
	return page(q.PathValue("file"))
}

func page(name string) (web.File, error) {
	f, ok := web.Open(name)
	if !ok {
		return web.File{}, fmt.Errorf("%w: no such page", vault.ErrNotFound)
	}
	return f, nil
}

// sendPage sends a page or a part of one.
func sendPage(w http.ResponseWriter, status int, f web.File) error {
	h := w.Header()
	h.Set("Content-Security-Policy", web.Policy)
	h.Set("Content-Type", f.Type)
	h.Set("Content-Length", strconv.Itoa(len(f.Body)))
	w.WriteHeader(status)
	_, err := w.Write(f.Body)
	return err
}
