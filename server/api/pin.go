package api

import "encoding/json"

// For which commands a project has its secrets.
const (
	CommandsAny     = "any"
	CommandsLearn   = "learn"
	CommandsEnforce = "enforce"
)

// A Command is what is, or was, to be run with a project's secrets, as a daemon
// measured it: program and interpreter with the SHA-256 of what is in them, the
// arguments, the files that they name, and the directory. Weak are marks of what
// whoever starts it could change: "program", "interpreter", "file:N" for that of
// argument N, "dir", "home", and "inline".
type Command struct {
	Program           string        `json:"program"`
	ProgramSHA256     string        `json:"program_sha256"`
	Interpreter       string        `json:"interpreter,omitempty"`
	InterpreterSHA256 string        `json:"interpreter_sha256,omitempty"`
	Args              []string      `json:"args"`
	Files             []CommandFile `json:"files,omitempty"`
	Dir               string        `json:"dir"`
	Weak              []string      `json:"weak,omitempty"`
}

// A CommandFile is what an argument names, from 0. In a PinRule path or hash may be
// absent.
type CommandFile struct {
	Arg    int    `json:"arg"`
	Path   string `json:"path,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// A PinRule says which commands are allowed: those that are the same in what is
// there. Args and Dirs are patterns; Env are variables beside the usual ones, by name
// or by what they begin with before a '*'; Weak are the marks that they may have. Sealed
// has what they read from files handed to them as copies that nobody can change.
type PinRule struct {
	Program           string        `json:"program,omitempty"`
	ProgramSHA256     string        `json:"program_sha256,omitempty"`
	Interpreter       string        `json:"interpreter,omitempty"`
	InterpreterSHA256 string        `json:"interpreter_sha256,omitempty"`
	Args              []string      `json:"args"`
	Files             []CommandFile `json:"files,omitempty"`
	Dirs              []string      `json:"dirs,omitempty"`
	Env               []string      `json:"env,omitempty"`
	Weak              []string      `json:"weak,omitempty"`
	Sealed            bool          `json:"sealed,omitempty"`
}

// The states of a pin, beside StatusApproved and StatusDenied.
const (
	// StatusLearned is of what was run while the project learns.
	StatusLearned = "learned"
	// StatusAsked is of what was refused.
	StatusAsked = "asked"
)

// A Pin is one row of GET /admin/projects/{project_name}/pins: a command, and what was
// decided on it. Command is absent where somebody made the pin, Pin where it is not
// approved. Weakness says in words why it allows, or approved as it is would allow, what
// nobody looked at.
type Pin struct {
	ID            string   `json:"id"`
	ProjectName   string   `json:"project_name"`
	Namespace     string   `json:"namespace"`
	Status        string   `json:"status"`
	AgentID       string   `json:"agent_id,omitempty"`
	Command       *Command `json:"command,omitempty"`
	CommandDigest string   `json:"command_digest,omitempty"`
	Pin           *PinRule `json:"pin,omitempty"`
	Weakness      []string `json:"weakness"`
	FirstAsked    Time     `json:"first_asked"`
	LastAsked     Time     `json:"last_asked"`
	DecidedAt     *Time    `json:"decided_at"`
	DecidedBy     *string  `json:"decided_by"`
	SourceIP      *string  `json:"source_ip"`
}

// CreatePin is the body of POST /admin/projects/{project_name}/pins.
type CreatePin struct {
	Pin PinRule `json:"pin"`
}

// ApprovePin is the body of POST /admin/projects/{project_name}/pins/{id}/approve. What
// is nil is as in the command.
type ApprovePin struct {
	Args   *[]string `json:"args,omitempty"`
	Dirs   *[]string `json:"dirs,omitempty"`
	Env    *[]string `json:"env,omitempty"`
	Sealed bool      `json:"sealed,omitempty"`
}

// ForCommand is the body of POST /project/secrets/{project_name}. Command is a Command.
type ForCommand struct {
	Command json.RawMessage `json:"command,omitempty"`
}

// ForConfig is the body of POST /project/config/{project_name}/{template}. Command is a
// Command; Path is there where the text is for a file on a disk, and begins with /.
type ForConfig struct {
	Command json.RawMessage `json:"command,omitempty"`
	Path    *string         `json:"path,omitempty"`
}

// An AllowedPin is what allows a command, the variables that it may have, and whether its
// files are to be handed to it as copies.
type AllowedPin struct {
	ID     string   `json:"id"`
	Env    []string `json:"env"`
	Sealed bool     `json:"sealed,omitempty"`
}
