package server

import "net/http"

// vary is sent with every answer: caches must not mix up what is sent to
// different origins.
const vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

// headers sets what every answer carries. Answers of this server are data for
// programs: a browser must not run, frame, guess, cache or tell about them.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", vary)
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
