package api

// What can be frozen.
const (
	KindAgent     = "agent"
	KindProject   = "project"
	KindSecret    = "secret"
	KindNamespace = "namespace"
)

// A FreezeTarget is the body of POST /admin/freeze and POST /admin/unfreeze.
// Name is an agent id, a secret's path, or the name of a project or namespace;
// ID takes its place for an agent or a secret. Reason is for freezing.
type FreezeTarget struct {
	Kind      string  `json:"kind"`
	Name      string  `json:"name,omitempty"`
	ID        string  `json:"id,omitempty"`
	Namespace string  `json:"namespace,omitempty"`
	Reason    *string `json:"reason,omitempty"`
}

// A Freeze is one row of GET /admin/freezes, newest first.
type Freeze struct {
	Kind      string  `json:"kind"`
	Name      string  `json:"name"`
	ID        string  `json:"id"`
	Namespace string  `json:"namespace"`
	Reason    *string `json:"reason"`
	FrozenBy  string  `json:"frozen_by"`
	FrozenAt  Time    `json:"frozen_at"`
}

// Frozen answers POST /admin/freeze.
type Frozen struct {
	Frozen        bool   `json:"frozen"`
	Kind          string `json:"kind"`
	Name          string `json:"name"`
	Namespace     string `json:"namespace"`
	AlreadyFrozen bool   `json:"already_frozen,omitempty"`
}

// Unfrozen answers POST /admin/unfreeze.
type Unfrozen struct {
	Unfrozen  bool   `json:"unfrozen"`
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}
