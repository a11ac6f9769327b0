package audit

import "time"

// An Entry is one audit record as people read it: who did what to which
// resources, when, from where, and what came of it. Pointers are nil where
// nothing is known, which is not the same as known to be empty.
type Entry struct {
	// Seq numbers the entries of a vault from 1 without gaps. [Link] sets it.
	Seq uint64
	// ID is the entry's own unique id.
	ID string
	// Time is when it happened. It is kept to the nanosecond, in UTC; the
	// year must be between 1 and 9999.
	Time time.Time
	// Actor is who did it.
	Actor Actor
	// AgentID is the agent it was about, as people name it.
	AgentID *string
	// Project is the project it was about.
	Project *string
	// Action is the operation.
	Action string
	// Resource is the one thing acted on.
	Resource *string
	// Resources are the things decided on one by one, such as each secret of
	// a fetch. Here nil and empty are the same.
	Resources []Resource
	// Status is the outcome.
	Status string
	// Caller is what the client said of the process it acted for.
	Caller Caller
}

// An Actor is the party that acted, as authenticated.
type Actor struct {
	// Kind is the sort of party, such as "agent".
	Kind string
	// ID is its id.
	ID string
	// Namespace is where it belongs.
	Namespace string
	// Auth is the credential it showed, such as "admin-token".
	Auth string
}

// A Resource is one thing and what was decided about it.
type Resource struct {
	// Path names the thing.
	Path string
	// Decision is the outcome for it.
	Decision string
}

// A Caller describes the process behind a request in the client's words. None
// of it is proof; each field is nil if the client did not say.
type Caller struct {
	// PID is its process id on the client's host.
	PID *int64
	// BinarySHA256 is the hex digest of its program.
	BinarySHA256 *string
	// ArgvHash is the hex digest of its arguments.
	ArgvHash *string
	// CWD is its working directory.
	CWD *string
	// GitCommit is the commit checked out there.
	GitCommit *string
	// SourceIP is the client's address.
	SourceIP *string
	// Hostname is the client's host.
	Hostname *string
	// OS is the client's operating system.
	OS *string
}
