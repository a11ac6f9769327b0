package install

import "errors"

// Users are those of an isolated install.
type Users struct {
	Daemon, Run, Group string
	Runs               int
}

// MaxRuns is the most users there are for programs.
const MaxRuns = 64

// Isolated returns an error: there is no such install on macOS.
func Isolated(string, Users) (*Install, error) {
	return nil, errors.New("there is no isolated install on macOS")
}
