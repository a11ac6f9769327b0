package daemon

import (
	"errors"
	"testing"

	"github.com/cortex-auth/cortex/daemon/spawn"
)

// A copy is called as the copy says, and not as something else did that was read from the
// same file before.
func TestCalledAs(t *testing.T) {
	for _, c := range []struct {
		copy string
		argv []string
		ok   bool
	}{
		{"#!/bin/bash\necho good\n", []string{"/bin/bash"}, true},
		{"#!/bin/bash -s\necho good\n", []string{"/bin/bash", "-s"}, true},
		{"#!/usr/bin/env -S python3 -I\n", []string{"python3", "-I"}, true},
		{"echo good\n", []string{"sh"}, true},
		{"#!/bin/bash\necho good\n", []string{"/bin/bash", "-s"}, false},
		{"#!/bin/bash -r\necho good\n", []string{"/bin/bash"}, false},
		{"#!/usr/bin/env python3\n", []string{"python3", "-i"}, false},
		{"echo good\n", []string{"/bin/bash"}, false},
		{"\x7fELF", []string{"sh"}, false},
	} {
		err := calledAs(&spawn.Exact{
			Interpreter: &spawn.Interpreter{Argv: c.argv},
			Copies:      []spawn.Copy{{Arg: 0, Content: []byte("data")}, {Arg: -1, Content: []byte(c.copy)}},
		})
		if c.ok && err != nil || !c.ok && !errors.Is(err, spawn.ErrChanged) {
			t.Errorf("%q as %q: %v", c.copy, c.argv, err)
		}
	}
}
