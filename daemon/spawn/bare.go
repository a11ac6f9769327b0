package spawn

import (
	"strings"

	"github.com/cortex-auth/cortex/vault/harden"
)

// A bare process lacks some of what protects it: a bit for each thing.
type bare byte

// What protects monitors and children, as long as these hold secrets.
const (
	adopting     bare = 1 << iota // what a program leaves behind comes to its monitor
	hidden                        // from others of its user
	unprivileged                  // and what it starts
)

// lacks returns what, if there is a reason why it could not be had.
func lacks(what bare, err error) bare {
	if err != nil {
		return what
	}
	return 0
}

// String lists what is lacking.
func (b bare) String() string {
	var list []string
	for _, l := range []struct {
		what bare
		name string
	}{{adopting, "adopting orphans"}, {hidden, "not dumpable"}, {unprivileged, "no new privileges"}} {
		if b&l.what != 0 {
			list = append(list, l.name)
		}
	}
	return strings.Join(list, ", ")
}

// Protection tells whether all monitors of this Starter so far, and all that
// became programs, had what protects them.
func (s *Starter) Protection() harden.Measure {
	const name = "monitors"
	if b := bare(s.lacking.Load()); b != 0 {
		return harden.Measure{Name: name, Detail: "what starts programs lacks: " + b.String()}
	}
	return harden.Measure{Name: name, OK: true, Detail: "what starts programs is closed to ptrace by its own user"}
}

// note remembers what a monitor or its child lacks.
func (s *Starter) note(b bare) { s.lacking.Or(uint32(b)) }
