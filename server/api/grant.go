package api

// A Grant is one row of GET /admin/projects/{project_name}/grants: a secret
// the project may read. EnvVarName is the effective variable name. SecretID
// is the empty string, as it always was; the path and namespace tell the
// secret.
type Grant struct {
	ID              string `json:"id"`
	ProjectName     string `json:"project_name"`
	SecretID        string `json:"secret_id"`
	SecretKeyPath   string `json:"secret_key_path"`
	SecretNamespace string `json:"secret_namespace"`
	EnvVarName      string `json:"env_var_name"`
	GrantedBy       string `json:"granted_by"`
	GrantedAt       Time   `json:"granted_at"`
	// JSONPointer leads to the member that is delivered, where it is not the
	// whole secret. It is also at the end of SecretKeyPath, behind a '#'.
	JSONPointer string `json:"json_pointer,omitempty"`
}

// CreateGrant is the body of POST /admin/projects/{project_name}/grants.
// Without EnvVarName the variable is named after the last part of the
// secret's path.
type CreateGrant struct {
	SecretID   string  `json:"secret_id"`
	EnvVarName *string `json:"env_var_name,omitempty"`
	// JSONPointer picks one member of a JSON_CONFIG (RFC 6901).
	JSONPointer string `json:"json_pointer,omitempty"`
}

// CreatedGrant answers POST /admin/projects/{project_name}/grants.
type CreatedGrant struct {
	ID            string  `json:"id"`
	ProjectName   string  `json:"project_name"`
	SecretID      string  `json:"secret_id"`
	SecretKeyPath string  `json:"secret_key_path"`
	EnvVarName    *string `json:"env_var_name"`
	JSONPointer   string  `json:"json_pointer,omitempty"`
}

// The states of a pending grant.
const (
	StatusPending  = "pending"
	StatusApproved = "approved"
	StatusDenied   = "denied"
	StatusExpired  = "expired"
)

// A PendingGrant is one row of GET /admin/pending-grants: a project's first
// access, waiting for or after a person's decision.
type PendingGrant struct {
	ID                string   `json:"id"`
	AgentID           string   `json:"agent_id"`
	ProjectName       string   `json:"project_name"`
	Namespace         string   `json:"namespace"`
	RequestedKeys     []string `json:"requested_keys"`
	ApprovedKeys      []string `json:"approved_keys"`
	Status            string   `json:"status"`
	RequestedAt       Time     `json:"requested_at"`
	DecidedAt         *Time    `json:"decided_at"`
	DecidedBy         *string  `json:"decided_by"`
	AutoApprovalUntil *Time    `json:"auto_approval_until"`
	SourceIP          *string  `json:"source_ip"`
	// Items say which secret each requested key would get. Older servers do
	// not say.
	Items []GrantItem `json:"items,omitempty"`
	// Command is what it is for, absent where the agent's daemon did not say, or said
	// more than is kept.
	Command *Command `json:"command,omitempty"`
}

// A GrantItem is one requested variable and the secret it would get: because a
// grant says so ("mapped"), or because its path reads like the variable
// ("proposed").
type GrantItem struct {
	EnvVarName string `json:"env_var_name"`
	KeyPath    string `json:"key_path"`
	Kind       string `json:"kind"`
	// AskedKeyPath is the path that was asked for, where the decision gave
	// another secret.
	AskedKeyPath string `json:"asked_key_path,omitempty"`
}

// ApproveGrant is the body of POST /admin/pending-grants/{id}/approve. A nil
// ApprovedKeys approves everything that was requested. Remap gives a variable
// another secret than was proposed, by id or path. AutoApprovalDays is how long
// the decision holds, 30 if nil.
type ApproveGrant struct {
	ApprovedKeys     *[]string         `json:"approved_keys,omitempty"`
	Remap            map[string]string `json:"remap,omitempty"`
	AutoApprovalDays *int              `json:"auto_approval_days,omitempty"`
	// Pin approves the command that the request shows, too, and has the project enforce
	// that from then on.
	Pin bool `json:"pin,omitempty"`
}

// GrantOfCommand is the kind of what is a command, and not variables.
const GrantOfCommand = "pin"

// A GrantStatus answers GET /agent/pending-grants/{id}. ApprovedKeys are the
// variables that were approved; the others come back as unmatched. Kind is
// GrantOfCommand where the id is that of a pin, else absent.
type GrantStatus struct {
	Kind              string   `json:"kind,omitempty"`
	GrantID           string   `json:"grant_id"`
	ProjectName       string   `json:"project_name"`
	Status            string   `json:"status"`
	RequestedKeys     []string `json:"requested_keys"`
	ApprovedKeys      []string `json:"approved_keys"`
	AutoApprovalUntil *Time    `json:"auto_approval_until"`
}

// ApprovedGrant answers POST /admin/pending-grants/{id}/approve.
type ApprovedGrant struct {
	Approved          bool     `json:"approved"`
	ID                string   `json:"id"`
	ApprovedKeys      []string `json:"approved_keys"`
	AutoApprovalUntil Time     `json:"auto_approval_until"`
}

// DeniedGrant answers POST /admin/pending-grants/{id}/deny, and the same of a pin.
type DeniedGrant struct {
	Denied bool   `json:"denied"`
	ID     string `json:"id"`
}
