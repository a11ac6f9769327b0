package api

import "encoding/json"

// DiscoverRequest is the body of POST /agent/discover: an agent asks, for a
// project, which of the names it needs the vault can supply. AuthProof is the
// agent's signature over TS, Nonce and AgentID in URL-safe base64.
type DiscoverRequest struct {
	AgentID         string          `json:"agent_id"`
	AuthProof       string          `json:"auth_proof"`
	Context         DiscoverContext `json:"context"`
	TS              *int64          `json:"ts,omitempty"` // Unix seconds
	Nonce           *string         `json:"nonce,omitempty"`
	RegenerateToken *bool           `json:"regenerate_token,omitempty"`
	SignedToken     bool            `json:"signed_token,omitempty"`
	// Command is what they are for, a Command.
	Command json.RawMessage `json:"command,omitempty"`
}

// DiscoverContext names the project and the variables it wants, the latter
// as the text of a .env file. Only the names in it are used.
type DiscoverContext struct {
	ProjectName string `json:"project_name"`
	FileContent string `json:"file_content"`
}

// DiscoverResponse answers POST /agent/discover. SignedProjectToken is
// present only when it was asked for.
type DiscoverResponse struct {
	MappedKeys         map[string]string `json:"mapped_keys"` // variable → key path
	FullMatched        bool              `json:"full_matched"`
	ProjectToken       Value             `json:"project_token"`
	TokenExpiresAt     Time              `json:"token_expires_at"`
	TokenTTLSeconds    int64             `json:"token_ttl_seconds"`
	UnmatchedKeys      []string          `json:"unmatched_keys"`
	Namespace          string            `json:"namespace"`
	Scope              []string          `json:"scope"`
	SignedProjectToken Value             `json:"signed_project_token,omitzero"`
	// Masking is absent where what commands print must be masked.
	Masking string `json:"masking,omitempty"`
	// OnFreeze is absent where commands that run are left alone by a freeze.
	OnFreeze string `json:"on_freeze,omitempty"`
	// Commands is absent where it is CommandsAny.
	Commands string `json:"commands,omitempty"`
}
