package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/metrics"
	"github.com/cortex-auth/cortex/server/web"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// minMetricsToken is the shortest token accepted, in bytes.
const minMetricsToken = 16

// metricsToken is what a scraper shows: its hash, so that comparing takes no
// different time for tokens of another length. The zero value fits nothing.
type metricsToken struct {
	set  bool
	hash [sha256.Size]byte
}

func newMetricsToken(t opaque.Bytes) metricsToken {
	return metricsToken{t.Len() > 0, sha256.Sum256(t.Reveal())}
}

func (m metricsToken) fits(t opaque.Bytes) bool {
	hash := sha256.Sum256(t.Reveal())
	return m.set && subtle.ConstantTimeCompare(hash[:], m.hash[:]) == 1
}

// scraper asks for the metrics token, or for an administrator. The token works
// while the vault is sealed too.
func (s *Server) scraper(ctx context.Context, q *request) error {
	if len(q.Header.Values("Authorization")) == 0 || !s.metricsToken.set {
		if err := s.admin(ctx, q); err != nil {
			return err
		}
		if !q.By.May(access.ReadMetrics) || q.By.Scoped() { // they count what is everybody's
			return vault.ErrDenied
		}
		return nil
	}
	token, err := auth.Bearer(q.Header)
	if err != nil {
		return err
	}
	defer token.Wipe()
	return s.guard.Scraper(q.client, s.metricsToken.fits(token))
}

// metrics writes what was counted. Labels name routes, statuses and actions:
// things of the program, and nothing that anybody entered.
func (s *Server) metrics(ctx context.Context, _ *request) (int, any, error) {
	v, err := s.vault.Stats(ctx)
	if err != nil {
		return 0, nil, err
	}
	var w metrics.Writer
	s.writeRequests(&w)
	writeVault(&w, v)
	writeRuntime(&w)
	w.One(w.Gauge, "process_start_time_seconds", "When the server began, in Unix seconds.", float64(s.stats.started.UnixNano())/1e9)
	return http.StatusOK, web.File{Type: metrics.Type, Body: w.Bytes()}, nil
}

func (s *Server) writeRequests(w *metrics.Writer) {
	patterns := slices.Sorted(maps.Keys(s.stats.routes))
	var limited uint64
	w.Counter("cortex_http_requests_total", "Requests answered, by route and status; the empty route is no route.")
	for _, p := range patterns {
		r := s.stats.routes[p]
		for i := range r.answers {
			n := r.answers[i].Load()
			if n == 0 {
				continue
			}
			status := "other"
			if i < len(statuses) {
				status = strconv.Itoa(statuses[i])
			}
			if status == "429" {
				limited += n
			}
			w.Value(float64(n), "route", p, "status", status)
		}
	}
	w.Histogram("cortex_http_request_duration_seconds", "How long answers took, by route.")
	for _, p := range patterns {
		w.Durations(&s.stats.routes[p].took, "route", p)
	}
	w.One(w.Gauge, "cortex_http_requests_in_flight", "Requests under way, this one among them.", float64(s.stats.inFlight.Load()))
	w.One(w.Counter, "cortex_rate_limited_total", "Requests refused because they came too often.", float64(limited))
	w.One(w.Gauge, "cortex_connections", "Connections that are open.", float64(s.stats.connections.Load()))
	w.One(w.Counter, "cortex_connections_accepted_total", "Connections accepted.", float64(s.stats.accepted.Load()))
}

func writeVault(w *metrics.Writer, v vault.Stats) {
	w.Counter("cortex_operations_total", "Operations of the vault, by action and outcome as the audit trail calls them; failed authentications are counted too.")
	for _, o := range v.Operations {
		w.Value(float64(o.Count), "action", o.Action, "status", o.Status)
	}
	w.One(w.Counter, "cortex_auth_failures_total", "Credentials that were not good.", float64(v.AuthFailures))
	w.One(w.Counter, "cortex_store_commits_total", "Commits of the vault's file.", float64(v.Store.Commits))
	w.One(w.Counter, "cortex_store_updates_total", "Updates in those commits.", float64(v.Store.Updates))
	w.One(w.Gauge, "cortex_store_file_bytes", "Size of the vault's file.", float64(v.FileSize))
	w.One(w.Gauge, "cortex_store_reserve_bytes", "Room on the disk that is held back for emergencies.", float64(v.Store.Reserve))
	sealed := 0.0
	if v.Sealed {
		sealed = 1
	}
	w.One(w.Gauge, "cortex_sealed", "1 while the vault is sealed.", sealed)
	if v.Sealed {
		return // the rest is under the keys
	}
	w.One(w.Counter, "cortex_audit_rows_total", "Records of the audit trail since it began.", float64(v.AuditRows))
	w.One(w.Gauge, "cortex_kek_version", "Version of the key-encryption key.", float64(v.KEKVersion))
	w.One(w.Gauge, "cortex_kek_wraps_left", "How many more keys the key-encryption key may wrap.", float64(v.WrapsLeft))
	w.One(w.Gauge, "cortex_pending_grants", "Requests of agents that wait for a decision.", float64(v.PendingGrants))
}

// writeRuntime tells of the Go runtime. Package runtime/metrics would have more to tell,
// and makes its list at every start of the program, whatever it is started for.
func writeRuntime(w *metrics.Writer) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w.One(w.Gauge, "go_goroutines", "Goroutines there are.", float64(runtime.NumGoroutine()))
	w.One(w.Gauge, "go_heap_objects_bytes", "Memory of objects on the heap.", float64(m.HeapAlloc))
	w.One(w.Gauge, "go_memory_bytes", "Memory mapped by the Go runtime.", float64(m.Sys))
	w.One(w.Gauge, "go_memory_released_bytes", "Part of it that was given back to the system.", float64(m.HeapReleased))
	w.One(w.Gauge, "go_threads", "How many threads may run Go code at a time.", float64(runtime.GOMAXPROCS(0)))
	version, goVersion := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
	}
	w.Gauge("cortex_build_info", "1, with the version of the program and of Go.")
	w.Value(1, "version", version, "goversion", goVersion)
}
