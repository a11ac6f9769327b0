package command

import (
	"fmt"
	"strings"
	"testing"
)

// Of a crash the first lines are kept, of anything else the last ones, and no more than
// people read.
func TestLastWords(t *testing.T) {
	var logged, stacks strings.Builder
	for n := range 1000 {
		fmt.Fprintf(&logged, "time=%d level=INFO\n", n)
		fmt.Fprintf(&stacks, "\ngoroutine %d [running]:\nmain.main()\n\t/src/main.go:1 +0x1\n", n)
	}
	for name, c := range map[string]struct {
		printed, begins, ends string
		lines                 int
	}{
		"nothing":      {"", "", "", 1},
		"an error":     {logged.String() + "cortex: no such file\n", "time=993 ", "cortex: no such file", lastLines},
		"no end":       {"cortex: no", "cortex: no", "no", 1},
		"fatal error":  {logged.String() + "runtime: program exceeds 10000-thread limit\nfatal error: thread exhaustion\n" + stacks.String(), "runtime: program exceeds 10000-thread limit\nfatal error: thread exhaustion\ngoroutine 0", "and 2994 lines more", lastLines + 1},
		"panic":        {"panic: 1\n\npanic: 2\n", "panic: 1\npanic: 2", "panic: 2", 2},
		"one long one": {strings.Repeat("x", 1<<20), "xxx", "xxx", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var l lastWords
			for text := c.printed; text != ""; { // as pieces
				n := min(len(text), 1000)
				if got, err := l.Write([]byte(text[:n])); got != n || err != nil {
					t.Fatal(got, err)
				}
				text = text[n:]
			}
			got := l.String()
			if !strings.HasPrefix(got, c.begins) || !strings.HasSuffix(got, c.ends) || strings.Count(got, "\n")+1 != c.lines || len(got) > (lastLines+1)*lastLineLen {
				t.Errorf("%d bytes: %.300s", len(got), got)
			}
		})
	}
}
