package api

// An AuditHead is the answer of GET /admin/audit/head.
type AuditHead struct {
	// Note is a signed note of where the audit trail ends. It is text, and good
	// for as long as it is kept to the byte.
	Note string `json:"note"`
	// VerifierKey verifies it, and those before and after it.
	VerifierKey string `json:"verifier_key"`
}
