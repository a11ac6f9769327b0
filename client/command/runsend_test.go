package command

import (
	"io"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// A run can be as long as it likes, and be told of as many signals.
func TestAnyNumberOfLines(t *testing.T) {
	const line = `{"ok":true,"ack":10}` + "\n"
	n := 2 * ipc.MaxLine / len(line)
	lines := make(chan ipc.Response)
	done := make(chan error, 1)
	in, out := io.Pipe()
	go func() {
		text := strings.Repeat(line, 1000)
		for range n / 1000 {
			io.WriteString(out, text)
		}
		io.WriteString(out, `{"ok":true,"exit_code":0}`+"\n")
	}()
	go func() { defer close(lines); done <- responses(in, lines) }()
	got := 0
	for range lines {
		got++
	}
	if err := <-done; err != nil || got != n/1000*1000+1 {
		t.Errorf("%d lines, %v", got, err)
	}
}

// A line has an end all the same.
func TestLinesAreBounded(t *testing.T) {
	lines := make(chan ipc.Response)
	endless := io.MultiReader(strings.NewReader(`{"error":"`), forever{})
	if err := responses(endless, lines); err == nil {
		t.Error("no error")
	}
}

// forever is an endless text.
type forever struct{}

func (forever) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
