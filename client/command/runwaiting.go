package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A waitingError says that a person must approve something before a run.
type waitingError interface {
	error
	// tell says it in lines, which scripts read.
	tell(*cli.Command)
	// event says it for programs, and code is its error code.
	event() runEvent
	code() string
}

// waiting says what an answer says of what waits for approval.
func (r *runRequest) waiting(answer ipc.Response) waitingError {
	url := answer.ServerURL
	if r.request.URL != nil {
		url = *r.request.URL // of an older daemon, which runs for this server only
	}
	if answer.ErrorCode == ipc.NotPinned {
		return &notPinnedError{project: r.request.Project, url: url, pinID: answer.PinID, why: answer.Why, hint: answer.Hint}
	}
	return &pendingError{project: r.request.Project, url: url, grantID: answer.GrantID, requestedKeys: answer.RequestedKeys, hint: answer.Hint}
}

// A pendingError says that a person must approve a run's secrets first.
type pendingError struct {
	project       string
	url           string // the server's, "" if unknown
	grantID       string
	requestedKeys []string
	hint          string
}

// Error returns one line.
func (e *pendingError) Error() string {
	return fmt.Sprintf("project %s is waiting for approval by an administrator", e.project)
}

// tell says what waits for approval, in four lines.
func (e *pendingError) tell(cmd *cli.Command) {
	say(cmd, "cortex: %s", e)
	say(cmd, "grant_id: %s", oneWord(e.grantID))
	say(cmd, "requested_keys: %s", jsonNames(e.requestedKeys))
	say(cmd, "%s", e.next())
}

func (e *pendingError) code() string { return ipc.PendingApproval }

// next says where to approve.
func (e *pendingError) next() string {
	switch {
	case e.url != "":
		return approveHint(e.url, e.grantID)
	case e.hint != "":
		return printable(e.hint)
	}
	return "an administrator approves it on the server"
}

// A notPinnedError says that a person must approve a command first.
type notPinnedError struct {
	project string
	url     string // the server's, "" if unknown
	pinID   string // "" where too many wait
	why     string
	hint    string
}

// Error returns one line.
func (e *notPinnedError) Error() string {
	return fmt.Sprintf("project %s: this command was not approved: %s", e.project, e.why)
}

// tell says what waits for approval, in three lines, or two where it does not wait.
func (e *notPinnedError) tell(cmd *cli.Command) {
	say(cmd, "cortex: %s", printable(e.Error()))
	if e.pinID != "" {
		say(cmd, "pin_id: %s", oneWord(e.pinID))
	}
	say(cmd, "%s", e.next())
}

func (e *notPinnedError) code() string { return ipc.NotPinned }

// next says who can do something about it.
func (e *notPinnedError) next() string {
	origin, err := client.Origin(e.url)
	switch {
	case e.why == pinned.WhyDenied:
		return whatToDoDenied
	case err == nil && proof.ValidName(e.pinID):
		return fmt.Sprintf("an administrator approves it with: cortex pin approve %s %s --url %s", e.project, e.pinID, origin)
	case e.hint != "":
		return printable(e.hint)
	}
	return "an administrator approves it on the server"
}

// whatToDoDenied is what somebody hears whose command was denied.
const whatToDoDenied = "the denial holds for this command in every directory, until an administrator removes it"

// event returns what waits, for programs.
func (e *notPinnedError) event() runEvent {
	return runEvent{Event: "not_pinned", Project: e.project, PinID: e.pinID, Why: e.why, Hint: e.next()}
}

// tellStripped says what of its surroundings a pinned command does not get.
func tellStripped(cmd *cli.Command, m ipc.Response) {
	var without []string
	if len(m.Stripped) > 0 {
		without = append(without, printableNames(m.Stripped))
	}
	if len(m.StrippedPath) > 0 {
		without = append(without, "these directories in PATH: "+printable(strings.Join(m.StrippedPath, ":")))
	}
	say(cmd, "cortex: warning: this command is pinned: it runs without %s", strings.Join(without, ", and without "))
}
