package server

import (
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/server/metrics"
)

// stats is what a Server counts. What it counts by is fixed when the server is
// made: nobody outside can make it grow.
type stats struct {
	started  time.Time
	routes   map[string]*routeStats // by pattern; "" for what no route took
	inFlight atomic.Int64
	// connections counts those that are open, accepted all there were.
	connections, accepted atomic.Int64
}

// statuses are those that answers are counted by, sorted; all others are
// counted together.
var statuses = []int{200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 408, 409, 413, 415, 429, 499, 500, 503, 507}

type routeStats struct {
	answers [32]atomic.Uint64 // by the place in statuses; the last: others
	took    metrics.Histogram
}

func newStats(routes []route) *stats {
	s := &stats{started: time.Now(), routes: map[string]*routeStats{"": {}}}
	for _, r := range routes {
		s.routes[r.pattern] = &routeStats{}
	}
	return s
}

// answered counts a request that was answered.
func (s *stats) answered(route string, status int, took time.Duration) {
	r, ok := s.routes[route]
	if !ok {
		r = s.routes[""]
	}
	i, ok := slices.BinarySearch(statuses, status)
	if !ok {
		i = len(r.answers) - 1
	}
	r.answers[i].Add(1)
	r.took.Observe(took)
}

// connState counts connections.
func (s *stats) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
		s.accepted.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	}
}
