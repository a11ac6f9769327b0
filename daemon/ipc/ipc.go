// Package ipc is what travels over the daemon's socket: JSON, one object a
// line.
//
// A client sends one [Request] and gets one [Response], or one [Status], and
// the connection ends. A launcher of version 1 sends descriptors along with
// the request and keeps the connection open while the program runs: it sends
// [Signal] lines, it may get Responses that only say that the program stopped, was sent a signal, or was
// refused something, and then the final one. When it closes the connection, everything it started
// is killed.
//
// A launcher that has a terminal keeps it. It passes a descriptor of it, for its
// modes and its size, and one end of a socket, the relay: what is written there
// is typed, and what comes from there is to be shown.
//
// No request makes the daemon answer with a secret or a token, and none will.
package ipc

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The limits of a connection.
const (
	// MaxLine is the longest line in bytes, its LF included.
	MaxLine = 4 << 20
	// MaxFurther is the most descriptors beyond the standard streams that a program gets,
	// and MaxDescriptor the highest number that one has there.
	MaxFurther    = 58
	MaxDescriptor = 1<<16 - 1
	// MaxFiles is the most descriptors a request may carry.
	MaxFiles = 6 + MaxFurther
)

// The values of Request.Cmd.
const (
	CmdStatus = "status"
	CmdReload = "reload" // take up the login as it is now
	CmdRun    = "run"
	CmdRedact = "redact"
)

// The versions of requests with descriptors. Daemons refuse those they do not know.
const (
	Version = 1
	// VersionFiles is that of requests for secrets elsewhere than in the environment.
	VersionFiles = 2
	// VersionCanary is that of requests for a canary.
	VersionCanary = 3
	// VersionExposed is that of requests for files on a disk.
	VersionExposed = 4
	// VersionFurther is that of requests with descriptors beyond the standard streams.
	VersionFurther = 5
)

// The names of descriptors, in Request.FDs.
const (
	FileCWD    = "cwd"
	FileStdin  = "stdin"
	FileStdout = "stdout"
	FileStderr = "stderr"

	FileTerminal = "terminal"
	FileRelay    = "relay"
)

// FileFurther is the name of a descriptor beyond the standard streams, which the program
// gets at this number.
func FileFurther(number int) string { return furtherPrefix + strconv.Itoa(number) }

const furtherPrefix = "fd"

// Further returns the number that is in such a name, and whether it is one.
func Further(name string) (number int, ok bool) {
	digits, ok := strings.CutPrefix(name, furtherPrefix)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(digits)
	return number, err == nil && number > 2 && number <= MaxDescriptor && FileFurther(number) == name
}

// The variables of a run with a canary. Each canary is CanaryPrefix and CanaryDigits random
// hexadecimal digits, so that whoever looks for one can tell it.
const (
	CanaryName     = "CORTEX_CANARY"
	CanaryFileName = "CORTEX_CANARY_FILE"
	CanaryPrefix   = "cortex-canary-"
	CanaryDigits   = 32
)

// StatusTimeout is the status of a program that took longer than it may, as
// timeout(1) has it.
const StatusTimeout = 124

// A Request is what a client asks for. Members that this version does not know
// are ignored.
type Request struct {
	Cmd string `json:"cmd"`

	// Program and Args are what to run; Args does not repeat the program.
	Program Text     `json:"program,omitempty"`
	Args    TextList `json:"args,omitempty"`
	Project string   `json:"project,omitempty"`
	// URL is the server the client means; nil for whichever the daemon knows.
	URL *string `json:"url,omitempty"`
	// EnvFile is where the names come from, where Names is nil.
	EnvFile *string `json:"env_file,omitempty"`

	// V is the version with descriptors, 0 without. What follows belongs to
	// [Version], but for Files, Templates, Stdin and Canary.
	V int `json:"v,omitempty"`
	// FDs name the descriptors that come with the line, in their order.
	FDs []string `json:"fds,omitempty"`
	// Background tells that the terminal's modes are not meant for the program, as
	// somebody else is in its foreground.
	Background bool `json:"background,omitempty"`
	// Names are the variables to ask the vault for.
	Names *[]string `json:"names,omitempty"`
	// Aliases are further variables to ask for, and what the program has them as,
	// NAME=ALIAS each: it gets the vault's ALIAS as NAME.
	Aliases []string `json:"aliases,omitempty"`
	// SSH are the variables of SSH keys, which the program gets an agent for.
	SSH []string `json:"ssh,omitempty"`
	// Files are further variables to ask for whose values the program gets in files
	// that are in memory only, and the variables that hold the paths of these:
	// NAME=VARIABLE each. It is of [VersionFiles].
	Files []string `json:"files,omitempty"`
	// Templates are those of the vault that the program gets in such files, with
	// their names filled in: PATH=VARIABLE each. It is of [VersionFiles].
	Templates []string `json:"templates,omitempty"`
	// TemplateFiles are those of Templates that are to be files on a disk, for as long as
	// the program runs: VARIABLE=PATH each, from the working directory, in which nothing
	// of the path is a link. It is of [VersionExposed].
	TemplateFiles []string `json:"template_files,omitempty"`
	// Stdin is a further variable to ask for, whose value the program reads in place
	// of the standard input that is passed. It is of [VersionFiles].
	Stdin string `json:"stdin,omitempty"`
	// Canary asks for values that the daemon makes up, in place of any secrets: the
	// program gets one as [CanaryName], and on Linux another one in a file whose path
	// [CanaryFileName] holds. Project may be empty. It is of [VersionCanary].
	Canary bool `json:"canary,omitempty"`
	// Needed are those of all these that have no value anywhere else: where the
	// vault has none either, the client wants to hear of it.
	Needed []string `json:"needed,omitempty"`
	// Env is the program's environment, NAME=VALUE each, without secrets.
	Env TextList `json:"env,omitempty"`
	// Umask is the program's file mode creation mask; nil for the daemon's.
	Umask *int `json:"umask,omitempty"`
	// NoMask asks for the program's output as it is. It is nil for a client that
	// has not heard of masking, which then is not told of what is too short.
	NoMask *bool `json:"no_mask,omitempty"`
	// Wait is how long the client waits for a person's approval, in nanoseconds.
	Wait time.Duration `json:"wait,omitempty"`
	// Timeout is how long the program may run, in nanoseconds; 0 for ever.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Acks asks for a line for each signal that ends programs and is the running
	// program's now.
	Acks bool `json:"acks,omitempty"`
	// Offline asks for a line where the program gets what is held, as the server is away.
	Offline bool `json:"offline,omitempty"`
	// Queue asks for a line when the request has a place among those that are carried
	// out, and for one where it waits for that.
	Queue bool `json:"queue,omitempty"`
	// Limits are the program's resource limits; others are the daemon's.
	Limits []Limit `json:"limits,omitempty"`
	// Ignored are the signals that the program begins by ignoring, Blocked those that
	// wait until it wants them.
	Ignored []syscall.Signal `json:"ignored,omitempty"`
	Blocked []syscall.Signal `json:"blocked,omitempty"`
	// Schedule is when the program is to have its turn; nil for as the daemon has it.
	Schedule *Schedule `json:"schedule,omitempty"`
}

// A Schedule is how a process gets the processors and the disks. A program gets it as
// far as it is not better than what the daemon has.
type Schedule struct {
	// Nice is the nice value, from -20 to 19.
	Nice int `json:"nice"`
	// Policy is that of sched(7).
	Policy int `json:"policy,omitempty"`
	// IO is the priority of ioprio_get(2), 0 for none.
	IO int `json:"io,omitempty"`
	// CPUs are those that it may be on, 64 a word, the lowest bit of the first for number
	// 0; none for any.
	CPUs []uint64 `json:"cpus,omitempty"`
}

// MaxCPUs is how many words there are for processors.
const MaxCPUs = 16

// A Limit is a resource limit as setrlimit(2) has it. The largest uint64 means
// none.
type Limit struct {
	Resource int    `json:"resource"`
	Soft     uint64 `json:"soft"`
	Hard     uint64 `json:"hard"`
}

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
		len(r.Missing)+len(r.Unmasked)+len(r.SSHKeys)+len(r.Stripped)+len(r.StrippedPath)+len(r.Withheld) == 0
}

// Offline says from when on something is held, and until when, in RFC 3339.
type Offline struct {
	Since string `json:"since"`
	Until string `json:"until"`
}

// A Status answers a status request.
type Status struct {
	OK bool `json:"ok"`
	// Session is the login, without its token; null without one.
	Session *Login `json:"session"`
	// AttestSessionID is the live session with the server, "" while there is
	// none. ExpiresAt is when it ends, in RFC 3339.
	AttestSessionID string `json:"attest_session_id"`
	ExpiresAt       string `json:"expires_at,omitempty"`
	AgentID         string `json:"agent_id"`
	ServerURL       string `json:"server_url"`
	// Problem is why there is no session, or why the server refuses another one
	// in its place, one line for people.
	Problem string `json:"problem,omitempty"`
	// Hint is what to do about it, where that is known.
	Hint string `json:"hint,omitempty"`
	// Server is what the daemon knows of the server; nil without a login.
	Server  *Server `json:"server,omitempty"`
	PID     int     `json:"pid"`
	Version string  `json:"version"`
	// Runs is the number of programs running now.
	Runs int `json:"runs"`
	// Projects are those that were asked for since the login was taken up, and
	// have a token or wait for one.
	Projects []Project `json:"projects"`
	// AwaySince is since when the server is away, in RFC 3339; "" while it is not.
	AwaySince string `json:"away_since,omitempty"`
	// Held are the projects that have values for when the server is away.
	Held []Held `json:"held"`
	// Journal is how many uses of these the server was not told of yet.
	Journal int `json:"journal"`
	// Failures are the latest, the newest first.
	Failures []Failure `json:"failures"`
	// Hardening is what the daemon's process is protected by.
	Hardening []Measure `json:"hardening"`
}

// A Server is what a daemon knows of its server.
type Server struct {
	// Key is the fingerprint of the key that it is known by; "" where that is its
	// certificate.
	Key string `json:"key,omitempty"`
	// Heard is when something last came from it, in RFC 3339; "" for never.
	Heard string `json:"heard,omitempty"`
	// ClockOff is by how many seconds its clock was ahead of this host's then, at
	// least; nil where it did not say.
	ClockOff *int64 `json:"clock_off,omitempty"`
}

// A Login is what `daemon login` left behind.
type Login struct {
	ServerURL string `json:"server_url"`
	AgentID   string `json:"agent_id"`
	// Proved tells that it stands on a proof of the agent's key; ExpiresAt is when
	// another one ends, in RFC 3339.
	Proved    bool   `json:"proved"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

// A Project is how things stand with one.
type Project struct {
	Name string `json:"name"`
	// ExpiresAt is when its token ends, in RFC 3339; "" without one.
	ExpiresAt string `json:"expires_at,omitempty"`
	// GrantID is what waits for a person's approval.
	GrantID string `json:"grant_id,omitempty"`
}

// A Held is a project that has values for when the server is away.
type Held struct {
	Project string `json:"project"`
	Until   string `json:"until"` // RFC 3339
}

// A Failure is why a program was not started, or no session opened.
type Failure struct {
	At    string `json:"at"` // RFC 3339
	Error string `json:"error"`
}

// A Measure is one protection, had or not.
type Measure struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// A Signal is sent by a launcher while its program runs.
type Signal struct {
	Signal syscall.Signal `json:"signal"`
	// Foreground, with SIGCONT and SIGWINCH, lets the program read from its
	// terminal: the launcher passes on what is typed.
	Foreground bool `json:"foreground,omitempty"`
}

// MaxSignal is the highest number of a signal.
const MaxSignal = 64

// Forwarded reports whether a launcher passes a signal on. Not SIGKILL and SIGSTOP,
// which nobody can catch; SIGCHLD, SIGURG and SIGPROF, which its own runtime uses;
// SIGTTIN and SIGTTOU, by which the terminal stops it; nor those that tell of its
// own faults. A launcher does not get to see all that are: on Linux the runtime
// keeps 32 to 34, which do to it what they do to any program.
func Forwarded(s syscall.Signal) bool {
	switch s {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, syscall.SIGTTIN, syscall.SIGTTOU,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS:
		return false
	}
	return s > 0 && s <= MaxSignal
}

// Line encodes one of this package's types, LF included. It fails for what
// does not fit into a line.
func Line(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding for the daemon's socket: %w", err)
	}
	if len(b) >= MaxLine {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(b), MaxLine-1)
	}
	return append(b, '\n'), nil
}
