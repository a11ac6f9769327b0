package api

// A VerifyAudit is the body of POST /admin/audit/verify.
type VerifyAudit struct {
	// SinceHead is a signed note of the vault, as GET /admin/audit/head gave it
	// out, whose record the trail must still have; empty for none.
	SinceHead string `json:"since_head,omitempty"`
}

// An AuditReport is what came of the verification of an audit trail.
type AuditReport struct {
	// Intact reports that nothing is wrong, as far as it was looked at.
	Intact bool `json:"intact"`
	// Keyed tells whether MACs were checked, not only hashes.
	Keyed bool `json:"keyed"`
	// Rows is the number of good records, First and Last are the numbers of the
	// first and the last. If there is none, Last is that of the one before, as far
	// as it is known.
	Rows  uint64 `json:"rows"`
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Broken is the first bad place; nil if there is none.
	Broken *AuditBreak `json:"broken"`
}

// An AuditBreak is a record that is bad or missing.
type AuditBreak struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}
