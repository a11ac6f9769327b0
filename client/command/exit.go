package command

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/vault/harden"
)

// Main runs a command line until it is done or ctx ends, as by
// [harden.UntilSignal], reports its error, and returns the exit status. What could
// not be written to standard output is an error, also where nobody looked.
func Main(ctx context.Context, root *cli.Command, args []string, stderr io.Writer) int {
	out := &output{file: os.Stdout}
	root.Writer = out
	cli.HelpPrinter = printHelp
	err := root.Run(ctx, args)
	err = cmp.Or(err, out.err)
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: %w", err, cause) // which signal it was
	}
	Report(stderr, err)
	if e, ok := errors.AsType[*ExitError](err); ok && e.key != 0 {
		passOn(e.key)
	}
	return Status(err)
}

// printHelp writes help in few pieces: package cli writes it word by word, hundreds of
// times, and each time whoever reads it from a pipe is woken.
func printHelp(w io.Writer, template string, data any) {
	b := bufio.NewWriter(w)
	cli.DefaultPrintHelp(b, template, data)
	b.Flush() // w remembers its errors
}

// An output remembers the first error of writing to a file: package cli does not
// look at those of what it prints itself, such as help.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.file.Write(b)
	if err != nil && o.err == nil {
		o.err = fmt.Errorf("writing to standard output: %w", err)
	}
	return n, err
}

// Fd and Stat tell what kind of file it is.
func (o *output) Fd() uintptr                { return o.file.Fd() }
func (o *output) Stat() (os.FileInfo, error) { return o.file.Stat() }

// An ExitError carries the exit status a command ends with. With a nil Err
// nothing is printed: the status is somebody else's, such as a child's.
type ExitError struct {
	Code int
	Err  error
	Hint string // the next command to type, or ""

	key syscall.Signal // by which the keyboard ended the child, and this process is to end; or 0
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
// status of an error that has one, as an [ExitError] or a [harden.Ended], 130 when
// the command was interrupted by nobody knows whom, or at a prompt, else 1.
func Status(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[cli.ExitCoder](err); ok {
		return e.ExitCode()
	}
	if e, ok := errors.AsType[harden.Ended](err); ok {
		return e.Status()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, prompt.ErrInterrupted) {
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
	text := oneLine(err.Error())
	if !ok && errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	fmt.Fprintf(w, "cortex: %s\n", text)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "cortex: hint: %s\n", oneLine(hint))
	}
}

// oneLine makes a text fit for a line on a terminal: it may repeat what others
// chose, names of files among it.
func oneLine(s string) string {
	return inertText(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

// inertText escapes what a terminal would not print.
func inertText(s string) string {
	var out strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			out.WriteRune(r)
		} else {
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return out.String()
}
