// Package harden makes a process hard to look into.
//
// [Process] is called once, first thing in main, by every program that holds
// secrets. It takes what measures the system offers and reports each of them,
// because none is worth refusing to start over, and every missing one is worth
// knowing. It tries what the memory for keys gets, and reports two conditions that it cannot change: swap space
// that is not encrypted, and variables by which the environment could have
// loaded foreign code.
//
// It never calls mlockall: beside a memory-mapped database that would lock the
// whole file. Keys are locked one by one, by package locked.
package harden

import (
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/vault/locked"
)

// Options are the exceptions from hardening. The zero value makes none.
type Options struct {
	// NewPrivileges keeps set-uid programs working in child processes.
	NewPrivileges bool
}

// A Report says what Process achieved.
type Report struct {
	// Measures are what was tried or looked at, in order.
	Measures []Measure
}

// A Measure is one thing tried or looked at.
type Measure struct {
	// Name is a constant short name, such as "core dumps".
	Name string
	// OK tells whether all is as it should be.
	OK bool
	// Detail is what was achieved or why it was not, for people.
	Detail string
}

// Process hardens the calling process, for good and for its children: they
// inherit the core dump limit, the umask and the renunciation of privileges.
func Process(opts Options) Report {
	return Report{Measures: append(measures(opts), Memory(), environment(os.Environ()))}
}

// Now returns r with what has become known since of the memory for keys: later ones
// may have found none left that can be locked.
func (r Report) Now() Report {
	now := slices.Clone(r.Measures)
	for i, m := range now {
		if m.Name == keyMemory {
			now[i] = memoryOf(locked.Status())
		}
	}
	return Report{now}
}

// Log tells operators what protects the process, and of each measure that is
// missing.
func (r Report) Log(log *slog.Logger) {
	log.Info("hardened the process", "measures", r)
	r.Warn(log)
}

// Warn tells operators of each measure that is missing.
func (r Report) Warn(log *slog.Logger) {
	for _, m := range r.Missing() {
		log.Warn("a protection is missing", "measure", m.Name, "detail", m.Detail)
	}
}

// Missing returns the measures that are not OK.
func (r Report) Missing() []Measure {
	var missing []Measure
	for _, m := range r.Measures {
		if !m.OK {
			missing = append(missing, m)
		}
	}
	return missing
}

// LogValue returns a group with one attribute for each measure: "ok", or the
// detail of what is missing.
func (r Report) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(r.Measures))
	for _, m := range r.Measures {
		text := "ok"
		if !m.OK {
			text = m.Detail
		}
		attrs = append(attrs, slog.String(m.Name, text))
	}
	return slog.GroupValue(attrs...)
}

// took returns the measure called name, which is OK if err is nil.
func took(name, detail string, err error) Measure {
	if err != nil {
		return Measure{Name: name, Detail: err.Error()}
	}
	return Measure{Name: name, OK: true, Detail: detail}
}

// environment looks for variables that make a dynamic linker load code into
// programs. This one is linked statically; those it starts may not be. Only
// names are reported.
func environment(environ []string) Measure {
	if found := foreign(environ); len(found) > 0 {
		return Measure{Name: "environment", Detail: "can load foreign code: " + strings.Join(found, ", ")}
	}
	return Measure{Name: "environment", OK: true, Detail: "loads no foreign code"}
}
