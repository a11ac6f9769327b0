package api

// The states of a project's token. A revoked token stays revoked when it
// expires.
const (
	TokenStatusActive  = "active"
	TokenStatusExpired = "expired"
	TokenStatusRevoked = "revoked"
)

// A Project is one row of GET /admin/projects.
type Project struct {
	ID             string            `json:"id"`
	ProjectName    string            `json:"project_name"`
	EnvMappings    map[string]string `json:"env_mappings"`
	Namespace      string            `json:"namespace"`
	Scope          []string          `json:"scope"`
	CreatedAt      Time              `json:"created_at"`
	TokenExpiresAt *Time             `json:"token_expires_at"`
	TokenRevokedAt *Time             `json:"token_revoked_at"`
	TokenStatus    string            `json:"token_status"`
	// AgentID is the agent that owns the project, absent while none does; older
	// servers do not say.
	AgentID string `json:"agent_id,omitempty"`
}

// RevokedProject answers POST /admin/projects/{project_name}/revoke.
type RevokedProject struct {
	Revoked        bool   `json:"revoked"`
	ProjectName    string `json:"project_name"`
	AlreadyRevoked bool   `json:"already_revoked,omitempty"`
}

// ProjectSecrets answers GET /project/secrets/{project_name}. Withheld are the
// variables the token was issued for and no longer opens, because a grant, a
// secret or a policy changed; older servers leave them out in silence.
type ProjectSecrets struct {
	EnvVars  map[string]Value  `json:"env_vars"`
	SSHKeys  map[string]SSHKey `json:"ssh_keys,omitempty"`
	Withheld []string          `json:"withheld,omitempty"`
	// Offline is absent where the values must not be kept.
	Offline *Offline `json:"offline,omitempty"`
	// Commands is absent where it is CommandsAny, and Pin where it is not
	// CommandsEnforce.
	Commands string      `json:"commands,omitempty"`
	Pin      *AllowedPin `json:"pin,omitempty"`
}

// Offline says for how long a daemon may use values while the server is away, and
// what each entry of its journal names then.
type Offline struct {
	TTLSeconds int64  `json:"ttl_seconds"`
	Receipt    string `json:"receipt"`
}

// Whether who starts a command may have what it prints unmasked.
const (
	MaskAlways   = "always"
	MaskOptional = "optional"
)

// What becomes of commands that run when they are cut off.
const (
	FreezeLeaves = "leave"
	FreezeEnds   = "end"
)

// Whether a caller may have a template in a file on a disk.
const (
	FilesDeny  = "deny"
	FilesAllow = "allow"
)

// ProjectSettings answers GET and PUT /admin/projects/{project_name}/settings.
type ProjectSettings struct {
	ProjectName     string `json:"project_name"`
	Namespace       string `json:"namespace"`
	TokenTTLSeconds int64  `json:"token_ttl_seconds"`
	// Masking and OnFreeze are absent on older servers.
	Masking  string `json:"masking,omitempty"`
	OnFreeze string `json:"on_freeze,omitempty"`
	// OfflineTTLSeconds is 0 where nothing is kept for when the server is away.
	OfflineTTLSeconds int64 `json:"offline_ttl_seconds"`
	// Commands is absent on older servers.
	Commands string `json:"commands,omitempty"`
	// TemplateFiles is absent on older servers.
	TemplateFiles string `json:"template_files,omitempty"`
}

// UpdateProject is the body of PUT /admin/projects/{project_name}/settings.
// What is nil stays.
type UpdateProject struct {
	// TokenTTLSeconds is from 60 to 31536000, or 0 for the usual 14 days.
	TokenTTLSeconds *int64 `json:"token_ttl_seconds,omitempty"`
	// Masking is MaskAlways or MaskOptional.
	Masking *string `json:"masking,omitempty"`
	// OnFreeze is FreezeLeaves or FreezeEnds.
	OnFreeze *string `json:"on_freeze,omitempty"`
	// OfflineTTLSeconds is from 0, for not at all, to 604800.
	OfflineTTLSeconds *int64 `json:"offline_ttl_seconds,omitempty"`
	// Commands is CommandsAny, CommandsLearn or CommandsEnforce.
	Commands *string `json:"commands,omitempty"`
	// TemplateFiles is FilesDeny or FilesAllow.
	TemplateFiles *string `json:"template_files,omitempty"`
}
