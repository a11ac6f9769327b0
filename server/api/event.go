package api

// EventsType is the content type of GET /daemon/events: one JSON object on each
// line.
const EventsType = "application/x-ndjson"

// HeartbeatSeconds is how often a stream of events shows that it lives. One
// that was silent for three times as long is dead.
const HeartbeatSeconds = 5

// The events of GET /daemon/events.
const (
	// EventOpen comes first, and then an EventFreeze for all that is frozen.
	// Nothing else is told that happened before: whatever is held from before may
	// be stale.
	EventOpen = "open"
	// EventHeartbeat says nothing else.
	EventHeartbeat = "heartbeat"
	// EventFreeze and EventUnfreeze have Kind and Name, and where it is about a
	// project or a secret of one, ProjectName and EnvVarNames. EventFreeze has OnFreeze.
	EventFreeze   = "freeze"
	EventUnfreeze = "unfreeze"
	// EventRevoke has ProjectName: its token ended.
	EventRevoke = "revoke"
	// EventGrantDecided has GrantID, ProjectName, Status and, in EnvVarNames,
	// what was approved.
	EventGrantDecided = "grant_decided"
	// EventSecretChanged has ProjectName and EnvVarNames: those variables have
	// other values, or none.
	EventSecretChanged = "secret_changed"
	// EventResync stands for what no other event tells, or for too many of
	// them: whatever is held may be stale. It has OnFreeze where that may have changed.
	EventResync = "resync"
	// EventSessionEnded is followed by EventEnd.
	EventSessionEnded = "session_ended"
	// EventEnd comes last, with Reason.
	EventEnd = "end"
)

// Why a stream ends.
const (
	EndShutdown = "shutdown" // the server stops
	EndSealed   = "sealed"   // the vault was sealed
	EndReplaced = "replaced" // the session has another stream
	EndSession  = "session"  // the session ended
)

// An Event is one line of GET /daemon/events. It holds names and never values.
// Of two events about the same thing the one with the greater Seq counts.
type Event struct {
	Event            string   `json:"event"`
	Seq              uint64   `json:"seq,omitempty"`
	At               *Time    `json:"at,omitempty"`
	Kind             string   `json:"kind,omitempty"`
	Name             string   `json:"name,omitempty"`
	ProjectName      string   `json:"project_name,omitempty"`
	EnvVarNames      []string `json:"env_var_names,omitempty"`
	GrantID          string   `json:"grant_id,omitempty"`
	Status           string   `json:"status,omitempty"`
	Reason           string   `json:"reason,omitempty"`
	HeartbeatSeconds int      `json:"heartbeat_seconds,omitempty"`
	// OnFreeze is FreezeLeaves or FreezeEnds by the name of the project that it is the
	// setting of. For a project that is not in it, or on older servers, counts what was
	// said last, or came with its last token.
	OnFreeze map[string]string `json:"on_freeze,omitempty"`
}
