package daemon

import (
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/client"
)

// A mask answers guesses, so it is for those whose own programs had the values.
func TestRedactIsForWhoRan(t *testing.T) {
	d := &enrolment{Daemon: &Daemon{}}
	p, err := d.projects.of("app")
	if err != nil {
		t.Fatal(err)
	}
	p.put(&token{names: []string{"KEY"}})
	d.projects.ran("another", 1000) // of which nothing is known
	d.projects.ran("app", 1000)
	if names, err := d.redacts("app", 1000); err != nil || !slices.Equal(names, []string{"KEY"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, err := d.redacts("app", 1001); err == nil || names != nil || client.Hint(err) != "cortex run --project app -- true" {
		t.Errorf("%q, %v: it never ran it", names, err)
	}
	p.put(&token{names: []string{"KEY", "OTHER"}})
	if names, err := d.redacts("app", 1000); err != nil || len(names) != 2 {
		t.Errorf("%q, %v: a new token makes it nobody's", names, err)
	}
}

// Whoever only asks about a project does not have the daemon remember it.
func TestRedactMakesNoProject(t *testing.T) {
	d := &enrolment{Daemon: &Daemon{}}
	if _, err := d.redacts("made-up", 1000); err == nil || client.Hint(err) != "cortex run --project made-up -- true" {
		t.Error(err)
	}
	if len(d.projects.all) != 0 {
		t.Error("it is remembered")
	}
}
