package command

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// What waits for approval is told in as many lines as there are, whatever stands in
// them, and nothing of it is obeyed by a terminal.
func TestWaitingIsInert(t *testing.T) {
	for _, row := range []struct {
		answer ipc.Response
		lines  int
	}{
		{ipc.Response{GrantID: evil, RequestedKeys: []string{evil}, ServerURL: evil, Hint: evil}, 4},
		{ipc.Response{GrantID: "g", Hint: evil}, 4},
		{ipc.Response{ErrorCode: ipc.NotPinned, PinID: evil, Why: evil, ServerURL: evil, Hint: evil}, 3},
		{ipc.Response{ErrorCode: ipc.NotPinned, Why: evil, ServerURL: "https://vault.example.com", Hint: evil}, 2},
	} {
		var out bytes.Buffer
		cmd := &cli.Command{ErrWriter: &out}
		r := &runRequest{request: ipc.Request{Project: "app"}}
		r.waiting(row.answer).tell(cmd)
		wantInert(t, out.String(), row.lines)
	}
	var out bytes.Buffer
	tellStripped(&cli.Command{ErrWriter: &out}, ipc.Response{Stripped: []string{evil, "A"}, StrippedPath: []string{evil, ""}})
	wantInert(t, out.String(), 1)
}

func wantInert(t *testing.T, text string, lines int) {
	t.Helper()
	if strings.Count(text, "\n") != lines || strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%d lines are %q", lines, text)
	}
}
