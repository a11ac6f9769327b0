package harden

import (
	"fmt"
	"strings"
)

// A ForeignError is about variables by which a dynamic linker loads code into
// programs.
type ForeignError struct {
	// Names are those of the variables, and never their values.
	Names []string
}

// Error names the variables.
func (e *ForeignError) Error() string {
	return "the environment loads foreign code into programs: " + strings.Join(e.Names, ", ")
}

// Without returns what to put in front of a command to start it without the variables.
func (e *ForeignError) Without() string {
	var b strings.Builder
	b.WriteString("env")
	for _, name := range e.Names {
		fmt.Fprintf(&b, " -u %s", name)
	}
	return b.String()
}

// Refuse returns a [ForeignError] if there are such variables in environ. This program is
// linked statically and loads nothing; but whoever set them for one that holds keys
// either means ill or does not know what they are for.
func Refuse(environ []string) error {
	if names := foreign(environ); len(names) > 0 {
		return &ForeignError{names}
	}
	return nil
}

// foreign returns the names of such variables.
func foreign(environ []string) (names []string) {
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); value != "" && loads(name) {
			names = append(names, name)
		}
	}
	return names
}

// loads reports whether a variable has code loaded: on Linux by glibc and musl, or on
// macOS by dyld.
func loads(name string) bool {
	switch name {
	case "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "LD_ORIGIN_PATH", "LD_PROFILE", "GCONV_PATH":
		return true
	}
	return strings.HasPrefix(name, "DYLD_") && !strings.HasPrefix(name, "DYLD_PRINT_")
}
