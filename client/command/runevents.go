package command

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/harden"
)

// A runEvent is what run --json says in one line, in the place of the lines for
// people. What is not there is absent.
type runEvent struct {
	// Event is warning, pending, not_pinned, waiting, queued, offline, missing, ssh_keys, stripped,
	// refused, withheld, piped or unmasked; and at last exited, or pending, not_pinned or failed where the
	// command was not started or had to be ended.
	Event string `json:"event"`
	// Project, GrantID and Names say what waits for approval; GrantID and Names also
	// what is missing, and Names what the others are about.
	Project string   `json:"project,omitempty"`
	GrantID string   `json:"grant_id,omitempty"`
	Names   []string `json:"names,omitempty"`
	// PinID and Why say of a command that is not pinned what an administrator approves,
	// and what differs from what was approved.
	PinID string `json:"pin_id,omitempty"`
	Why   string `json:"why,omitempty"`
	// Descriptors are the numbers of those that the command does not get, and Why says why;
	// or of files that are pipes for the command.
	Descriptors []int `json:"descriptors,omitempty"`
	// Path are the directories that were taken out of PATH.
	Path []string `json:"path,omitempty"`
	// Seconds is how long the decision, or another command's end, is waited for.
	Seconds int64 `json:"seconds,omitempty"`
	// ServerURL is away, and Since and Until say from when on and until when its values
	// are held, in RFC 3339: for offline.
	ServerURL string `json:"server_url,omitempty"`
	Since     string `json:"since,omitempty"`
	Until     string `json:"until,omitempty"`
	// Error, ErrorCode and Hint are for failed, refused and warning, Hint also for withheld and piped; a pending one has
	// the Hint that says who can do something about it.
	Error     string `json:"error,omitempty"`
	ErrorCode string `json:"error_code,omitempty"`
	Hint      string `json:"hint,omitempty"`
	// ExitCode comes last, and is run's own.
	ExitCode *int `json:"exit_code,omitempty"`
}

// tellEvents is tellNews for programs.
func tellEvents(cmd *cli.Command, r *runRequest, m ipc.Response) {
	var all []runEvent
	if m.Waiting {
		all = append(all, r.waiting(m).event(), runEvent{Event: "waiting", Seconds: int64(r.request.Wait.Seconds())})
	}
	if m.Queued {
		all = append(all, runEvent{Event: "queued", Seconds: int64(placeTimeout.Seconds())})
	}
	if m.Offline != nil {
		all = append(all, runEvent{Event: "offline", ServerURL: m.ServerURL, Since: m.Offline.Since, Until: m.Offline.Until})
	}
	if len(m.Missing) > 0 {
		all = append(all, runEvent{Event: "missing", Names: m.Missing, GrantID: m.GrantID})
	}
	if len(m.SSHKeys) > 0 {
		all = append(all, runEvent{Event: "ssh_keys", Names: m.SSHKeys})
	}
	if len(m.Stripped)+len(m.StrippedPath) > 0 {
		all = append(all, runEvent{Event: "stripped", Names: m.Stripped, Path: m.StrippedPath})
	}
	if m.Refused != "" {
		all = append(all, runEvent{Event: "refused", Error: m.Refused, Hint: m.Hint})
	}
	if len(m.Withheld) > 0 {
		all = append(all, runEvent{Event: "withheld", Descriptors: m.Withheld, Why: m.Why, Hint: m.Hint})
	}
	if len(m.Piped) > 0 {
		all = append(all, runEvent{Event: "piped", Descriptors: m.Piped, Hint: m.Hint})
	}
	if len(m.Unmasked) > 0 {
		all = append(all, runEvent{Event: "unmasked", Names: m.Unmasked})
	}
	for _, e := range all {
		writeJSON(cmd.Root().ErrWriter, e) // as say, whoever reads it
	}
}

// event returns what waits, for programs.
func (e *pendingError) event() runEvent {
	return runEvent{Event: "pending", Project: e.project, GrantID: e.grantID, Names: e.requestedKeys, Hint: e.next()}
}

// tellEnd says how a run ended, for programs, and returns what it exits with.
func tellEnd(cmd *cli.Command, key syscall.Signal, status int, err error) error {
	end := runEvent{Event: "exited", ExitCode: &status}
	if err != nil {
		status = Status(err)
		end = runEvent{Event: "failed", Error: err.Error(), Hint: hintOf(err), ExitCode: &status}
		if w, ok := errors.AsType[waitingError](err); ok {
			end = w.event()
			end.ErrorCode, end.ExitCode = w.code(), &status
		}
		if e, ok := errors.AsType[*refusedError](err); ok {
			end.ErrorCode = e.code
		}
	}
	writeJSON(cmd.Root().ErrWriter, end)
	if status == 0 {
		return nil
	}
	return &ExitError{Code: status, key: key}
}

// hintOf returns what to type about an error, "" for nothing.
func hintOf(err error) string {
	if e, ok := errors.AsType[*ExitError](err); ok && e.Hint != "" {
		return e.Hint
	}
	if e, ok := errors.AsType[*harden.ForeignError](err); ok {
		return "start it without, here or in its unit: " + e.Without() + " " + typed(os.Args)
	}
	return client.Hint(err)
}

// plainCharacters need no quotes in a shell.
const plainCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:=,@+"

// typed returns a command line as one types it.
func typed(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		if words[i] = arg; strings.Trim(arg, plainCharacters) != "" || arg == "" {
			words[i] = shellQuote(arg)
		}
	}
	return strings.Join(words, " ")
}

// A refusedError is what the daemon said about a run that it did not begin, or
// ended.
type refusedError struct{ text, code string }

// Error returns what it said.
func (e *refusedError) Error() string { return e.text }

func refused(answer ipc.Response) error { return &refusedError{answer.Error, answer.ErrorCode} }
