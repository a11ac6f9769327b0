package metrics_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/metrics"
)

func TestWriter(t *testing.T) {
	var w metrics.Writer
	w.Counter("a_total", "Things.")
	w.Value(3, "route", `GET /a/{b}`, "odd", "x\"y\\z\nend")
	w.Value(0)
	w.One(w.Gauge, "b", "More.", 1.5)
	var quick, idle metrics.Histogram
	quick.Observe(time.Millisecond)
	quick.Observe(2 * time.Second)
	quick.Observe(time.Hour)
	w.Histogram("c_seconds", "Times.")
	w.Durations(&quick, "route", "r")
	w.Durations(&idle, "route", "never")
	want := `# HELP a_total Things.
# TYPE a_total counter
a_total{route="GET /a/{b}",odd="x\"y\\z\nend"} 3
a_total 0
# HELP b More.
# TYPE b gauge
b 1.5
# HELP c_seconds Times.
# TYPE c_seconds histogram
c_seconds_bucket{route="r",le="0.001"} 1
c_seconds_bucket{route="r",le="0.0025"} 1
c_seconds_bucket{route="r",le="0.005"} 1
c_seconds_bucket{route="r",le="0.01"} 1
c_seconds_bucket{route="r",le="0.025"} 1
c_seconds_bucket{route="r",le="0.05"} 1
c_seconds_bucket{route="r",le="0.1"} 1
c_seconds_bucket{route="r",le="0.25"} 1
c_seconds_bucket{route="r",le="0.5"} 1
c_seconds_bucket{route="r",le="1"} 1
c_seconds_bucket{route="r",le="2.5"} 2
c_seconds_bucket{route="r",le="10"} 2
c_seconds_bucket{route="r",le="60"} 2
c_seconds_bucket{route="r",le="+Inf"} 3
c_seconds_sum{route="r"} 3602.001
c_seconds_count{route="r"} 3
`
	if got := string(w.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(string(w.Bytes()), "never") {
		t.Error("an idle histogram is written")
	}
}
