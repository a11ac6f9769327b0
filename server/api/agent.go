package api

// An Agent is one row of GET /admin/agents.
type Agent struct {
	ID          string  `json:"id"`
	AgentID     string  `json:"agent_id"`
	Description *string `json:"description"`
	Namespace   string  `json:"namespace"`
	CreatedAt   Time    `json:"created_at"`
	HasPubkey   bool    `json:"has_pubkey"`
	// Frozen agents get nothing, nor do those of a frozen namespace.
	Frozen bool `json:"frozen,omitempty"`
}

// CreateAgent is the body of POST /admin/agents. AgentPub is the Ed25519
// public key in base64. An empty Namespace means "default".
type CreateAgent struct {
	AgentID     string  `json:"agent_id"`
	AgentPub    string  `json:"agent_pub"`
	Description *string `json:"description,omitempty"`
	Namespace   string  `json:"namespace,omitempty"`
}

// CreatedAgent answers POST /admin/agents.
type CreatedAgent struct {
	ID        string `json:"id"`
	AgentID   string `json:"agent_id"`
	Namespace string `json:"namespace"`
}
