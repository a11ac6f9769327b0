package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
)

// An ExitError carries the exit status a command ends with. With a nil Err
// nothing is printed: the status is somebody else's, such as a child's.
type ExitError struct {
	Code int
	Err  error
	Hint string // the next command to type, or ""
}

// Error returns the text of Err, or the status when there is none.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *ExitError) Unwrap() error { return e.Err }

// ExitCode returns the status.
func (e *ExitError) ExitCode() int { return e.Code }

// Status returns the exit status for what a command returned: 0 for nil, the
// status of an error that has one, as an [ExitError], 130 when the command was
// interrupted, else 1.
func Status(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[cli.ExitCoder](err); ok {
		return e.ExitCode()
	}
	if errors.Is(err, context.Canceled) {
		return 130
	}
	return 1
}

// Report prints an error as one line, and a second one with what to do about
// it where that is known. It prints nothing for nil, and for an [ExitError]
// that has nothing to say.
func Report(w io.Writer, err error) {
	e, ok := errors.AsType[*ExitError](err)
	if err == nil || ok && e.Err == nil {
		return
	}
	if Status(err) == 130 && errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "cortex: interrupted")
		return
	}
	fmt.Fprintf(w, "cortex: %s\n", oneLine(err.Error()))
	hint := client.Hint(err)
	if ok && e.Hint != "" {
		hint = e.Hint
	}
	if hint != "" {
		fmt.Fprintf(w, "cortex: hint: %s\n", oneLine(hint))
	}
}

func oneLine(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
}
