package api

// ExportType is the media type of GET /admin/audit/export.
const ExportType = "application/x-ndjson"

// An AuditRow is one row of GET /admin/audit-logs, newest first. PrevHash and
// EntryMAC are lower-case hex; PrevHash is empty in the first row.
type AuditRow struct {
	ID                 string  `json:"id"`
	AgentID            *string `json:"agent_id"`
	ProjectName        *string `json:"project_name"`
	Action             string  `json:"action"`
	ResourcePath       *string `json:"resource_path"`
	Status             string  `json:"status"`
	Timestamp          Time    `json:"timestamp"`
	CallerPID          *int64  `json:"caller_pid"`
	CallerBinarySHA256 *string `json:"caller_binary_sha256"`
	CallerArgvHash     *string `json:"caller_argv_hash"`
	CallerCWD          *string `json:"caller_cwd"`
	CallerGitCommit    *string `json:"caller_git_commit"`
	SourceIP           *string `json:"source_ip"`
	Hostname           *string `json:"hostname"`
	OS                 *string `json:"os"`
	PrevHash           string  `json:"prev_hash"`
	EntryMAC           string  `json:"entry_mac"`

	// What follows, older servers do not say.

	// Seq numbers the rows without gaps.
	Seq uint64 `json:"seq,omitempty"`
	// Actor is who did it, as authenticated.
	Actor *AuditActor `json:"actor,omitempty"`
	// Resources are the things decided on one by one, such as the secrets of a
	// fetch.
	Resources []AuditResource `json:"resources,omitempty"`
}

// An AuditActor is the party that acted.
type AuditActor struct {
	Kind      string `json:"kind"`
	ID        string `json:"id,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Auth      string `json:"auth"`
	// Name is that of an account, while there is one with this id.
	Name string `json:"name,omitempty"`
}

// An AuditResource is one thing and what was decided about it.
type AuditResource struct {
	Path     string `json:"path"`
	Decision string `json:"decision"`
}
