package api

// A SecretVersion is one row of GET /admin/secrets/{id}/versions: how one value
// came about.
type SecretVersion struct {
	Version   int64   `json:"version"`
	CreatedAt Time    `json:"created_at"`
	CreatedBy string  `json:"created_by"`
	Message   *string `json:"message"`
	// RolledBackTo is the version whose value it brought back.
	RolledBackTo int64  `json:"rolled_back_to,omitempty"`
	PublicKey    string `json:"public_key,omitempty"`
}

// RollbackSecret is the body of POST /admin/secrets/{id}/rollback.
type RollbackSecret struct {
	Version   int64   `json:"version"`
	Message   *string `json:"message,omitempty"`
	IfVersion *int64  `json:"if_version,omitempty"`
}
