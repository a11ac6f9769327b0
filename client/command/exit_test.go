package command

import (
	"testing"

	"github.com/urfave/cli/v3"
)

// pieces counts how often something is written.
type pieces int

func (p *pieces) Write(b []byte) (int, error) {
	*p++
	return len(b), nil
}

// Whoever reads help from a pipe is not woken for each word of it.
func TestHelpInFewPieces(t *testing.T) {
	var n pieces
	printHelp(&n, cli.CommandHelpTemplate, runCommand())
	if n == 0 || n > 4 {
		t.Errorf("written in %d pieces", n)
	}
}
