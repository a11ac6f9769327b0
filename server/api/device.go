package api

// DeviceAuthorizeRequest is the body of POST /device/authorize.
type DeviceAuthorizeRequest struct {
	ClientID string `json:"client_id,omitempty"` // informative
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
}

// GrantTypeDeviceCode is the grant type of RFC 8628, section 3.4.
const GrantTypeDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

// DeviceTokenRequest is the body of POST /device/token.
type DeviceTokenRequest struct {
	DeviceCode Value  `json:"device_code"`
	GrantType  string `json:"grant_type,omitempty"`
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
}

// ApproveDevice is the body of POST /admin/web/device/approve.
type ApproveDevice struct {
	UserCode string `json:"user_code"`
	AgentID  string `json:"agent_id"`
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
