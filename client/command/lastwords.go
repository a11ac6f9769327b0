package command

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// How much is kept of what a process printed: so many of its lines, and of each so many
// bytes.
const (
	lastLines   = 8
	lastLineLen = 400
)

// lastWords keep of what a process prints what tells why it has ended: its last lines, and
// of a crash the first ones, as the stacks of all that it did follow. The zero value has
// heard nothing. It is for use by several goroutines.
type lastWords struct {
	mu      sync.Mutex // guards what follows
	lines   []string
	line    []byte // that has begun
	crashed bool
	more    int // lines that came after those of a crash
}

// Write never fails.
func (l *lastWords) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := b; len(rest) > 0; {
		text, after, whole := bytes.Cut(rest, []byte("\n"))
		l.line = append(l.line, text[:min(len(text), lastLineLen-len(l.line))]...)
		if whole {
			l.end()
		}
		rest = after
	}
	return len(b), nil
}

// end keeps the line that has begun.
func (l *lastWords) end() {
	line := strings.TrimSpace(string(l.line))
	l.line = l.line[:0]
	if line == "" {
		return
	}
	if !l.crashed && crashes(line) {
		l.crashed, l.lines = true, nil
	}
	switch {
	case len(l.lines) < lastLines:
		l.lines = append(l.lines, line)
	case l.crashed:
		l.more++
	default:
		l.lines = append(slices.Delete(l.lines, 0, 1), line)
	}
}

// crashes reports whether a line is the first that the Go runtime prints when it gives up.
func crashes(line string) bool {
	return slices.ContainsFunc([]string{"panic: ", "fatal error: ", "runtime: ", "unexpected fault address ", "SIG"}, func(start string) bool {
		return strings.HasPrefix(line, start)
	})
}

// String returns what is kept.
func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end()
	all := strings.Join(l.lines, "\n")
	if l.more > 0 {
		all += fmt.Sprintf("\nand %d lines more", l.more)
	}
	return all
}
