package api

// DeviceAuthorizeRequest is the body of POST /device/authorize.
//
// The bare form has none of the other members. In the proof form all from
// agent_id to init_proof are there: the host proves to have the agent's key, by
// a signature over
// device-init|init_nonce|init_ts|agent_id|agent_pub|namespace|hostname|origin.
type DeviceAuthorizeRequest struct {
	ClientID string `json:"client_id,omitempty"` // informative

	AgentID   *string `json:"agent_id,omitempty"`
	AgentPub  *string `json:"agent_pub,omitempty"` // URL-safe base64 without padding
	Namespace string  `json:"namespace,omitempty"`
	Hostname  string  `json:"hostname,omitempty"`
	OS        string  `json:"os,omitempty"`
	CLI       string  `json:"cli_version,omitempty"`
	Origin    string  `json:"origin,omitempty"` // scheme, host and port of the server as the host knows it
	Nonce     *string `json:"init_nonce,omitempty"`
	TS        *int64  `json:"init_ts,omitempty"`    // Unix seconds
	Proof     *string `json:"init_proof,omitempty"` // URL-safe base64 without padding
}

// DeviceAuthorization answers POST /device/authorize. ExpiresIn and Interval
// are seconds. VerificationURI may be relative to the server's URL.
type DeviceAuthorization struct {
	DeviceCode              Value  `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
	ExpiresIn               int64  `json:"expires_in"`
	Interval                int64  `json:"interval"`
	// Proved tells that the server took the proof of the agent's key. Servers that
	// know no proofs do not say it.
	Proved bool `json:"proved,omitempty"`
}

// GrantTypeDeviceCode is the grant type of RFC 8628, section 3.4.
const GrantTypeDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

// GrantTypeAssertion is the grant type of RFC 7523, section 2.1.
const GrantTypeAssertion = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// DeviceTokenRequest is the body of POST /device/token: a device code, with a
// signature over poll|device_code|poll_ts if the log-in began with a proof, or
// an assertion.
type DeviceTokenRequest struct {
	DeviceCode Value  `json:"device_code,omitzero"`
	GrantType  string `json:"grant_type,omitempty"`

	PollTS    *int64  `json:"poll_ts,omitempty"`    // Unix seconds
	PollProof *string `json:"poll_proof,omitempty"` // URL-safe base64 without padding

	// Assertion is a JWT by the agent's key; the grant type is
	// [GrantTypeAssertion].
	Assertion Value `json:"assertion,omitzero"`
}

// DeviceToken answers POST /device/token once a person has approved. The
// access token is a JWT for [AttestRequest]; ExpiresIn is seconds.
type DeviceToken struct {
	AccessToken Value  `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	KID         string `json:"kid"`
}

// A Device is one row of GET /admin/devices, newest first.
type Device struct {
	ID         string  `json:"id"`
	UserCode   string  `json:"user_code"`
	Status     string  `json:"status"`
	AgentID    *string `json:"agent_id"`
	CreatedAt  Time    `json:"created_at"`
	ApprovedAt *Time   `json:"approved_at"`
	// SourceIP is where the login began; older servers do not say.
	SourceIP *string `json:"source_ip,omitempty"`
	// Proved tells that the host has the agent's key; Hostname is its own word.
	Proved     bool    `json:"proved"`
	Hostname   *string `json:"hostname"`
	LastUsedAt *Time   `json:"last_used_at"`
}

// A UserCode is the body of POST /admin/web/device/lookup and of
// /admin/web/device/deny.
type UserCode struct {
	UserCode string `json:"user_code"`
}

// A PendingDevice answers POST /admin/web/device/lookup: what to look at before
// it is approved. All but the key and what follows from it is the host's own
// word.
type PendingDevice struct {
	UserCode    string  `json:"user_code"`
	Proved      bool    `json:"proved"`
	AgentID     string  `json:"agent_id"`
	Namespace   string  `json:"namespace"`
	Fingerprint *string `json:"fingerprint"` // of the agent's key
	Hostname    string  `json:"hostname"`
	OS          string  `json:"os"`
	CLI         string  `json:"cli_version"`
	// Origin is the server's URL as the host knows it; older servers do not say.
	Origin    string `json:"origin"`
	SourceIP  string `json:"source_ip"`
	CreatedAt Time   `json:"created_at"`
	ExpiresAt Time   `json:"expires_at"`
	NewAgent  bool   `json:"new_agent"`
	KeyChange bool   `json:"key_change"`
}

// DeniedDevice answers POST /admin/web/device/deny.
type DeniedDevice struct {
	Denied   bool   `json:"denied"`
	UserCode string `json:"user_code"`
}

// ApproveDevice is the body of POST /admin/web/device/approve.
type ApproveDevice struct {
	UserCode string `json:"user_code"`
	AgentID  string `json:"agent_id"`
	// Namespace is the agent's, as ?namespace= says it.
	Namespace string `json:"namespace,omitempty"`
	// KeyChange confirms that a known agent gets another key.
	KeyChange bool `json:"key_change,omitempty"`
}

// ApprovedDevice answers POST /admin/web/device/approve.
type ApprovedDevice struct {
	Approved bool   `json:"approved"`
	UserCode string `json:"user_code"`
	AgentID  string `json:"agent_id"`
}

// DeletedDevices answers DELETE /admin/devices/{agent_id}.
type DeletedDevices struct {
	Deleted bool `json:"deleted"`
	Rows    int  `json:"rows"`
}
