package redteam

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// bin is where the program is, as it is shipped, under its four names.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if status, done := otherwise(); done {
			return status
		}
		e2e.KeepInherited()
		dir, err := os.MkdirTemp("", "red-") // short, for the path of a socket
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		// Other users have to reach the program.
		if err := os.Chmod(dir, 0o755); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		bin = dir
		if err := e2e.Build("../..", dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		flag.Parse()
		// Most moves wait for somebody, and need no processor meanwhile.
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// made are all moves there are.
var made = map[install][]moves{
	vaultSide: vaultMoves,
	personal:  personalMoves,
	isolated:  isolatedMoves,
}

// over is closed when nobody waits for an outcome any more.
var over = make(chan struct{})

// Every move of the threat model has the outcome that stands there.
func TestMoves(t *testing.T) {
	e2e.Look(t, "../..")
	stage = t
	need.Root(t, "be all the users that make the moves")
	rows := table(t)
	for _, wrong := range compare(rows, made) {
		t.Error(wrong)
	}
	var begun sync.WaitGroup
	for _, begin := range early {
		begun.Go(func() { begin() })
	}
	defer func() {
		close(over)
		begun.Wait()
	}()
	// Meanwhile what was begun early may come to its end.
	for _, in := range []install{personal, isolated, vaultSide} {
		t.Run(string(in), func(t *testing.T) {
			for _, r := range rows {
				for _, group := range made[in] {
					if move, ok := group[r.id]; ok {
						t.Run(r.id, func(t *testing.T) {
							if wrong := verdict(r, in, move(t)); wrong != "" {
								t.Error(wrong)
							}
						})
					}
				}
			}
		})
	}
}

// table returns the rows of the threat model.
func table(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("../../docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parse(string(text))
	if err != nil {
		t.Fatalf("docs/threat-model.md: %v", err)
	}
	if len(rows) < 40 {
		t.Fatalf("docs/threat-model.md has %d moves only", len(rows))
	}
	return rows
}
