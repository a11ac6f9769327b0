// Package metrics writes what a server counts, in the text format that
// Prometheus reads.
//
// A [Histogram] counts as it goes. Everything else is a number that somebody
// has when a [Writer] asks for it; there is no registry, and nothing counts that
// nobody declared. Names, help texts and names of labels are constants of the
// caller; values of labels may hold anything, but should be few.
package metrics

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Type is the media type of what a Writer writes.
const Type = "text/plain; version=0.0.4; charset=utf-8"

// A Writer collects metrics in the text format, version 0.0.4. The zero Writer
// is ready.
type Writer struct {
	buf  bytes.Buffer
	name string
}

// Bytes returns what was written.
func (w *Writer) Bytes() []byte { return w.buf.Bytes() }

// Counter begins a metric that only grows. Its name ends in _total.
func (w *Writer) Counter(name, help string) { w.family(name, "counter", help) }

// Gauge begins a metric that goes up and down.
func (w *Writer) Gauge(name, help string) { w.family(name, "gauge", help) }

func (w *Writer) family(name, kind, help string) {
	w.name = name
	w.buf.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

// Value writes one value of the metric that was begun last. Labels are names
// and values in turn.
func (w *Writer) Value(v float64, labels ...string) { w.sample("", v, labels) }

// One writes a metric of one value, without labels, that was not begun yet.
func (w *Writer) One(kind func(name, help string), name, help string, v float64) {
	kind(name, help)
	w.Value(v)
}

func (w *Writer) sample(suffix string, v float64, labels []string) {
	w.buf.WriteString(w.name + suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		w.buf.WriteByte("{,"[min(i, 1)])
		w.buf.WriteString(labels[i] + `="`)
		_, _ = escaped.WriteString(&w.buf, labels[i+1]) // a buffer takes everything
		w.buf.WriteByte('"')
	}
	if len(labels) > 1 {
		w.buf.WriteByte('}')
	}
	w.buf.WriteByte(' ')
	w.buf.WriteString(number(v))
	w.buf.WriteByte('\n')
}

// escaped replaces what would end the value of a label.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// bounds are the upper ends of a histogram's buckets, in seconds.
var bounds = [...]float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60}

// A Histogram counts durations. The zero Histogram is ready. It is safe for
// concurrent use.
type Histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64 // the last: longer than all bounds
	nanos   atomic.Int64
}

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d.Seconds() > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.nanos.Add(int64(d))
}

// Histogram begins a metric of durations in seconds.
func (w *Writer) Histogram(name, help string) { w.family(name, "histogram", help) }

// Durations writes one histogram of the metric that was begun last; nothing
// for one that counted nothing.
func (w *Writer) Durations(h *Histogram, labels ...string) {
	var counts [len(bounds) + 1]uint64
	var all uint64
	for i := range counts {
		counts[i] = h.buckets[i].Load()
		all += counts[i]
	}
	if all == 0 {
		return
	}
	var sum uint64
	for i, n := range counts {
		sum += n
		le := math.Inf(1)
		if i < len(bounds) {
			le = bounds[i]
		}
		w.sample("_bucket", float64(sum), append(labels[:len(labels):len(labels)], "le", number(le)))
	}
	w.sample("_sum", time.Duration(h.nanos.Load()).Seconds(), labels)
	w.sample("_count", float64(all), labels)
}
