package vault

import "time"

// An EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	// EventFreeze and EventUnfreeze: an agent, project, secret or namespace was
	// cut off, or let in again.
	EventFreeze   EventKind = "freeze"
	EventUnfreeze EventKind = "unfreeze"
	// EventRevoke: the agent's token of a project ended.
	EventRevoke EventKind = "revoke"
	// EventSessionEnded: the session that listens ended.
	EventSessionEnded EventKind = "session_ended"
	// EventGrantDecided: a request of the agent was decided or forgotten.
	EventGrantDecided EventKind = "grant_decided"
	// EventSecretChanged: variables of a project have other values, or none.
	EventSecretChanged EventKind = "secret_changed"
	// EventResync: something happened that no other event describes. Whoever
	// hears it asks for everything again.
	EventResync EventKind = "resync"
)

// An Event is something that a daemon should act on at once. It holds names
// and never values.
type Event struct {
	Kind EventKind
	// Seq is the number of the audit record. Events may overtake each other:
	// of two about the same thing the greater one counts.
	Seq uint64
	At  time.Time
	// What and Name say what was frozen or unfrozen.
	What FreezeKind
	Name string
	// OnFreeze says what becomes at a freeze of commands that run of the projects in it,
	// with the freeze and, for settings that were changed, in an EventResync. Of others
	// counts what was said last.
	OnFreeze map[string]OnFreeze
	// Project is the project it is about, and Variables are the names in it,
	// as the agent wrote them, sorted.
	Project   string
	Variables []string
	// GrantID is the request that was decided, and Status what it is now:
	// "approved", "denied", "expired" or "deleted".
	GrantID, Status string
}
