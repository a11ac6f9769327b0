package ipc

// The error codes of a Response that clients look for.
const (
	PendingApproval = "pending_approval" // a person must approve first
	WrongServer     = "wrong_server"     // the daemon is enrolled elsewhere
	MustMask        = "must_mask"        // NoMask is not for this project
	Busy            = "busy"             // too many connections
	ServerAway      = "server_away"      // and nothing is held that would do without it
	// NotPinned is for a command that nobody approved.
	NotPinned = "command_not_pinned"
)

// A Response answers a request. It may not be the last line: see [Response.Last].
type Response struct {
	OK bool `json:"ok"`
	// ExitCode is the program's status, 128 and the signal's number if one
	// ended it. With OK false it is the status of a program that could not be
	// started, or StatusTimeout.
	ExitCode *int `json:"exit_code,omitempty"`
	// KilledBy is the signal that ended the program, with ExitCode; never for a request
	// without a version.
	KilledBy int `json:"killed_by,omitempty"`
	// Stopped is the signal that stopped the program; it waits for SIGCONT.
	Stopped int `json:"stopped,omitempty"`
	// Terminal tells that the program is about to be started on a terminal: the
	// client takes its own, if it is in the foreground, and sends SIGCONT.
	Terminal bool `json:"terminal,omitempty"`
	// Ack is a signal that the program has been sent, where that was asked for.
	Ack int `json:"ack,omitempty"`

	// Missing are the needed names that the vault has no value for. If the first
	// of them wait for approval, GrantID and ServerURL say where.
	Missing []string `json:"missing,omitempty"`

	// Unmasked are the variables whose values are too short or too common to be
	// masked, those of which it was not said before.
	Unmasked []string `json:"unmasked,omitempty"`

	// SSHKeys are the needed names that are SSH keys, which no variable holds.
	SSHKeys []string `json:"ssh_keys,omitempty"`
	// Offline tells that the server, at ServerURL, is away, and that the program gets
	// what is held of it, where that was asked for.
	Offline *Offline `json:"offline,omitempty"`
	// Queued tells that the request waits for others to end, and Placed that it is carried
	// out, where that was asked for.
	Queued bool `json:"queued,omitempty"`
	Placed bool `json:"placed,omitempty"`
	// Refused is what the program's SSH agent did not do, one line for people.
	Refused string `json:"refused,omitempty"`

	// Stripped are the variables of the request that a pinned program runs without, and
	// StrippedPath the directories that were taken out of its PATH; those of which it was
	// not said before.
	Stripped     []string `json:"stripped,omitempty"`
	StrippedPath []string `json:"stripped_path,omitempty"`

	// Withheld are the numbers of the request's descriptors that the program does not get,
	// and Why says, in words for people, why not.
	Withheld []int `json:"withheld,omitempty"`
	// Piped are the numbers of those that are files, and pipes for the program; those of
	// which it was not said before. Hint says what to do where that is not enough.
	Piped []int `json:"piped,omitempty"`

	// Error is one line for people, Hint the next command to type.
	Error     string `json:"error,omitempty"`
	ErrorCode string `json:"error_code,omitempty"`
	Hint      string `json:"hint,omitempty"`

	// Waiting tells that the daemon waits for the approval of what follows.
	Waiting bool `json:"waiting,omitempty"`
	// What waits for approval.
	GrantID       string   `json:"grant_id,omitempty"`
	RequestedKeys []string `json:"requested_keys,omitempty"`
	Message       string   `json:"message,omitempty"`
	ServerURL     string   `json:"server_url,omitempty"`
	// PinID is what an administrator approves for a command that is [NotPinned], and Why
	// says what differs from what was approved; "" where too many wait. Why is also
	// about Withheld.
	PinID string `json:"pin_id,omitempty"`
	Why   string `json:"why,omitempty"`
}

// Last reports whether no other line follows: it is not about a program that
// stopped, was sent a signal, was refused something, or is yet to run.
func (r Response) Last() bool {
	return !r.Terminal && r.Stopped == 0 && r.Ack == 0 && r.Refused == "" && !r.Waiting && !r.Queued && !r.Placed && r.Offline == nil &&
		len(r.Missing)+len(r.Unmasked)+len(r.SSHKeys)+len(r.Stripped)+len(r.StrippedPath)+len(r.Withheld)+len(r.Piped) == 0
}

// Offline says from when on something is held, and until when, in RFC 3339.
type Offline struct {
	Since string `json:"since"`
	Until string `json:"until"`
}
