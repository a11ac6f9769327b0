package api

// AttestRequest is the body of POST /daemon/attest. AttestationPub is the
// daemon's fresh Ed25519 public key in URL-safe base64 without padding;
// BinarySHA256 is lower-case hex.
type AttestRequest struct {
	AttestationPub string  `json:"attestation_pub"`
	BinarySHA256   string  `json:"binary_sha256"`
	DaemonVersion  *string `json:"daemon_version,omitempty"`
	DaemonPID      *int64  `json:"daemon_pid,omitempty"`
	DaemonUID      *int64  `json:"daemon_uid,omitempty"`
	Hostname       *string `json:"hostname,omitempty"`

	// In the proof form these are there too, and daemon_pid: the agent's key signs
	// daemon-attest|nonce|ts|agent_id|attestation_pub|binary_sha256|boot_id|started_at|daemon_pid.
	Nonce      *string `json:"nonce,omitempty"`
	TS         *int64  `json:"ts,omitempty"` // Unix seconds
	BootID     *string `json:"boot_id,omitempty"`
	StartedAt  *int64  `json:"started_at,omitempty"`  // Unix seconds
	AgentProof *string `json:"agent_proof,omitempty"` // URL-safe base64 without padding
}

// AttestResponse answers POST /daemon/attest. ExpiresIn is seconds.
type AttestResponse struct {
	SessionID         string `json:"session_id"`
	ExpiresIn         int64  `json:"expires_in"`
	AllowlistEnforced bool   `json:"allowlist_enforced"`
}

// A DaemonSession is one row of GET /admin/daemon-sessions, newest first.
type DaemonSession struct {
	SessionID     string  `json:"session_id"`
	AgentID       string  `json:"agent_id"`
	BinarySHA256  string  `json:"binary_sha256"`
	DaemonVersion *string `json:"daemon_version"`
	DaemonPID     *int64  `json:"daemon_pid"`
	DaemonUID     *int64  `json:"daemon_uid"`
	Hostname      *string `json:"hostname"`
	CreatedAt     Time    `json:"created_at"`
	ExpiresAt     Time    `json:"expires_at"`
	RevokedAt     *Time   `json:"revoked_at"`
}

// An AllowedDaemon is one row of GET /admin/allowed-daemon-versions, newest
// first. Enabled is 1 or 0.
type AllowedDaemon struct {
	BinarySHA256 string  `json:"binary_sha256"`
	Version      *string `json:"version"`
	Description  *string `json:"description"`
	Enabled      int     `json:"enabled"`
	CreatedAt    Time    `json:"created_at"`
}

// AllowDaemon is the body of POST /admin/allowed-daemon-versions. A nil
// Enabled means true.
type AllowDaemon struct {
	BinarySHA256 string  `json:"binary_sha256"`
	Version      *string `json:"version,omitempty"`
	Description  *string `json:"description,omitempty"`
	Enabled      *bool   `json:"enabled,omitempty"`
}

// AllowedDaemonAdded answers POST /admin/allowed-daemon-versions.
type AllowedDaemonAdded struct {
	BinarySHA256 string `json:"binary_sha256"`
	Enabled      bool   `json:"enabled"`
}
