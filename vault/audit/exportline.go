package audit

import "time"

// A recordLine is a record in an export.
type recordLine struct {
	Seq       uint64         `json:"seq"`
	ID        string         `json:"id"`
	Time      time.Time      `json:"time"`
	Actor     actorText      `json:"actor"`
	AgentID   *string        `json:"agent_id,omitempty"`
	Project   *string        `json:"project,omitempty"`
	Action    string         `json:"action"`
	Resource  *string        `json:"resource,omitempty"`
	Resources []resourceText `json:"resources,omitempty"`
	Status    string         `json:"status"`
	Caller    callerText     `json:"caller"`

	Entry    []byte `json:"entry"` // base64
	PrevHash string `json:"prev_hash"`
	RowHash  string `json:"row_hash"`
	KID      string `json:"kid"`
	MAC      string `json:"mac"`
}

type actorText struct {
	Kind      string `json:"kind"`
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	Auth      string `json:"auth"`
}

type resourceText struct {
	Path     string `json:"path"`
	Decision string `json:"decision"`
}

type callerText struct {
	PID          *int64  `json:"pid,omitempty"`
	BinarySHA256 *string `json:"binary_sha256,omitempty"`
	ArgvHash     *string `json:"argv_hash,omitempty"`
	CWD          *string `json:"cwd,omitempty"`
	GitCommit    *string `json:"git_commit,omitempty"`
	SourceIP     *string `json:"source_ip,omitempty"`
	Hostname     *string `json:"hostname,omitempty"`
	OS           *string `json:"os,omitempty"`
}

func resourceTexts(rs []Resource) []resourceText {
	var texts []resourceText
	for _, r := range rs {
		texts = append(texts, resourceText(r))
	}
	return texts
}
