package server

import (
	"errors"
	"net/http"
)

var (
	errNoRoute = errors.New("no such route")
	errMethod  = errors.New("this route does not answer to that method; see the header Allow")
)

// unrouted answers, in JSON, for requests that no route takes. The mux itself
// would answer in plain text, and redirect from paths that are merely similar:
// there is one spelling of each path here.
func unrouted(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := &fallback{ResponseWriter: w}
		mux.ServeHTTP(f, r)
		if !f.used {
			return
		}
		err := errNoRoute
		if f.status == http.StatusMethodNotAllowed {
			err = errMethod
		}
		w.Header().Del("Location")
		tracerOf(w).err = err
		writeProblem(w, problem(err))
	})
}

// A fallback hides what the mux answers by itself. Handlers of routes call
// routed first, and then write to what lies below.
type fallback struct {
	http.ResponseWriter
	used   bool
	status int
}

// WriteHeader keeps the status.
func (f *fallback) WriteHeader(status int) { f.used, f.status = true, status }

// Write drops the text.
func (f *fallback) Write(b []byte) (int, error) {
	f.used = true
	return len(b), nil
}

// Unwrap returns the writer below.
func (f *fallback) Unwrap() http.ResponseWriter { return f.ResponseWriter }

// routed returns the writer for the answer of a route.
func routed(w http.ResponseWriter) http.ResponseWriter {
	if f, ok := w.(*fallback); ok {
		return f.ResponseWriter
	}
	return w
}
