package api

// A SecretShare is one row of GET /admin/secrets/{id}/shares: a further namespace
// the secret stands in, and its path there.
type SecretShare struct {
	SecretID  string `json:"secret_id"`
	Namespace string `json:"namespace"`
	KeyPath   string `json:"key_path"`
	SharedBy  string `json:"shared_by"`
	SharedAt  Time   `json:"shared_at"`
}

// ShareSecret is the body of POST /admin/secrets/{id}/shares. Without KeyPath the
// secret has the same path there.
type ShareSecret struct {
	Namespace string `json:"namespace"`
	KeyPath   string `json:"key_path,omitempty"`
}
