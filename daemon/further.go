package daemon

import (
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// withhold keeps those of the caller's further descriptors from a program that would be
// a way around something, and says once which, and which of the others are not files for it. Where commands are approved, or learned to
// be, a program gets none: nobody approves them, and what it does with them is not in its
// pin.
func (j *job) withhold(spec *spawn.Spec) {
	var gone []int
	answer := ipc.Response{
		OK: true, Why: "what it prints is masked, and what is open for reading and writing could not be",
		Hint: "open them for writing alone, as 3>file does, or, where the project allows it, run it with --no-mask",
	}
	if spec.Exact != nil {
		for _, f := range spec.Further {
			gone = append(gone, f.Number)
		}
		spec.Further = nil
		answer.Why, answer.Hint = "its project has commands approved, and no descriptor is a part of one", ""
	} else {
		gone = spec.Withhold()
	}
	piped := spec.Piped()
	if p, err := j.projects.of(j.req.Project); err == nil && j.req.Project != "" {
		gone, piped = p.withheld.news(j.c.peer.UID, gone), p.piped.news(j.c.peer.UID, piped)
	}
	if answer.Withheld = gone; len(gone) > 0 {
		j.c.answer(answer)
	}
	if len(piped) > 0 {
		j.c.answer(ipc.Response{
			OK: true, Piped: piped,
			Hint: "a lock can be taken by the command itself, as flock FILE COMMAND does; or, where the project allows it, run it with --no-mask",
		})
	}
}
