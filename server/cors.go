package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/cortex-auth/cortex/server/api"
)

const (
	corsMethods = "GET, POST, PUT, DELETE"
	corsHeaders = "authorization, content-type, x-admin-token, x-cortex-caller-pid, x-cortex-caller-binary-sha256, " +
		"x-cortex-caller-argv-hash, x-cortex-caller-cwd, x-cortex-caller-git-commit, x-cortex-hostname, x-cortex-os, x-daemon-attestation, if-none-match"
)

// A crossOrigin says which web pages may call the server.
type crossOrigin struct {
	origins    []string
	protection *http.CrossOriginProtection
}

var errCrossOrigin = errors.New("not allowed from this web page; see CORTEX_DASHBOARD_ORIGINS")

// newCrossOrigin returns the rules for pages of origins, besides the server's
// own. An origin that is none, or has a path, is an error.
func newCrossOrigin(origins []string) (crossOrigin, error) {
	c := crossOrigin{origins: origins, protection: http.NewCrossOriginProtection()}
	for _, o := range origins {
		if err := c.protection.AddTrustedOrigin(o); err != nil {
			return crossOrigin{}, fmt.Errorf("origin %q: want scheme://host or scheme://host:port: %w", o, err)
		}
	}
	return c, nil
}

// crossOrigin answers preflights, lets listed pages read answers, and refuses changes
// that a browser makes for any other page. Requests that come from no browser
// pass.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := s.live.Load().cross
		origin := r.Header.Get("Origin")
		listed := origin != "" && slices.Contains(c.origins, origin)
		if listed {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Expose-Headers", api.NextCursor+", ETag")
		}
		if r.Method == http.MethodOptions {
			if listed && r.Header.Get("Access-Control-Request-Method") != "" {
				w.Header().Set("Access-Control-Allow-Methods", corsMethods)
				w.Header().Set("Access-Control-Allow-Headers", corsHeaders)
			}
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusOK)
			return
		}
		if err := c.protection.Check(r); err != nil {
			tracerOf(w).err = errCrossOrigin
			writeProblem(w, problem(errCrossOrigin))
			return
		}
		next.ServeHTTP(w, r)
	})
}
