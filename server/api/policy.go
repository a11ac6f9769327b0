package api

// A Policy is one row of GET /admin/policies.
type Policy struct {
	ID           string   `json:"id"`
	PolicyName   string   `json:"policy_name"`
	AgentPattern string   `json:"agent_pattern"`
	AllowedPaths []string `json:"allowed_paths"`
	DeniedPaths  []string `json:"denied_paths"`
	CreatedAt    Time     `json:"created_at"`
	// Namespace is the one whose agents the policy is about, absent if it is
	// about those of all; older servers do not say.
	Namespace string `json:"namespace,omitempty"`
}

// CreatePolicy is the body of POST /admin/policies. AllowedPaths is required
// and may be empty; nil means it was absent.
type CreatePolicy struct {
	PolicyName   string   `json:"policy_name"`
	AgentPattern string   `json:"agent_pattern"`
	AllowedPaths []string `json:"allowed_paths"`
	DeniedPaths  []string `json:"denied_paths,omitempty"`
	Namespace    string   `json:"namespace,omitempty"`
}

// CreatedPolicy answers POST /admin/policies.
type CreatedPolicy struct {
	ID         string `json:"id"`
	PolicyName string `json:"policy_name"`
}
