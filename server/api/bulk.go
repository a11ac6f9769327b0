package api

// Bulk is the body of POST /admin/secrets/bulk: many secrets at once.
type Bulk struct {
	// Format is "dotenv" or "json", Content a text of it.
	Format    string `json:"format"`
	Content   Value  `json:"content"`
	Namespace string `json:"namespace,omitempty"`
	// Prefix is put before each name to make its path.
	Prefix    string `json:"prefix,omitempty"`
	Lowercase bool   `json:"lowercase,omitempty"`
	// OnConflict is "fail", "skip" or "update".
	OnConflict string `json:"on_conflict,omitempty"`
	DryRun     bool   `json:"dry_run,omitempty"`
}

// A BulkResult answers POST /admin/secrets/bulk: what became of each secret, by
// path.
type BulkResult struct {
	DryRun    bool          `json:"dry_run"`
	Created   []string      `json:"created"`
	Updated   []string      `json:"updated"`
	Unchanged []string      `json:"unchanged"`
	Skipped   []string      `json:"skipped"`
	Conflicts []string      `json:"conflicts"`
	Invalid   []BulkProblem `json:"invalid"`
}

// A BulkProblem says why an entry cannot be kept.
type BulkProblem struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
