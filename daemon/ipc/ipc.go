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
