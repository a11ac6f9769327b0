package api

import "time"

// A Code is the machine-readable reason of an [Error]. It is an error itself,
// so a client writes errors.Is(err, api.PendingApproval).
type Code string

// Error returns the code's spelling on the wire.
func (c Code) Error() string { return string(c) }

// Codes that existing clients look for. Their spelling is fixed.
const (
	TokenExpired          Code = "token_expired"            // 401, project routes
	TokenRevoked          Code = "token_revoked"            // 401, project routes
	AuthorizationPending  Code = "authorization_pending"    // 401 (400 with a proof), device token
	PendingApproval       Code = "pending_approval"         // 403 with details, discover
	GrantDenied           Code = "grant_denied"             // 403, discover
	ProjectAgentMismatch  Code = "project_agent_mismatch"   // 403, discover
	ProjectNoAgentBinding Code = "project_no_agent_binding" // 403, discover
	ProjectFrozen         Code = "project_frozen"           // 403, discover
	BinaryNotAllowed      Code = "binary_not_allowed"       // 403, attest
	BinaryDisabled        Code = "binary_disabled"          // 403, attest
)

// Codes of RFC 8628, section 3.5.
const (
	SlowDown     Code = "slow_down"     // wait longer between polls
	AccessDenied Code = "access_denied" // the approver said no
	ExpiredToken Code = "expired_token" // the device code is too old
)

// Codes for everything else.
const (
	InvalidRequest       Code = "invalid_request"        // 400
	Unauthorized         Code = "unauthorized"           // 401
	Forbidden            Code = "forbidden"              // 403
	ProofRequired        Code = "proof_required"         // 403, device and attest routes
	InvalidGrant         Code = "invalid_grant"          // 400, device token with a proof (RFC 6749, 5.2)
	CommandNotPinned     Code = "command_not_pinned"     // 403 with details, project routes
	ExposureDenied       Code = "exposure_denied"        // 403, project config
	ConfirmationRequired Code = "confirmation_required"  // 403 with confirmation_id
	NotFound             Code = "not_found"              // 404
	MethodNotAllowed     Code = "method_not_allowed"     // 405
	Conflict             Code = "conflict"               // 409
	TooLarge             Code = "too_large"              // 413
	UnsupportedMediaType Code = "unsupported_media_type" // 415
	TemplateError        Code = "template_error"         // 422, project config
	JournalRejected      Code = "journal_rejected"       // 422, daemon journal
	RateLimited          Code = "rate_limited"           // 429
	Internal             Code = "internal"               // 500
	Sealed               Code = "sealed"                 // 503
	StorageFull          Code = "storage_full"           // 507
)

// An Error is the body of every answer outside 2xx, and the error a client
// returns for it.
type Error struct {
	// Status is the HTTP status; it travels in the status line.
	Status int `json:"-"`
	// Message is for people. No program may depend on its wording.
	Message string `json:"error"`
	// Code is for programs. Answers of older servers may lack it.
	Code Code `json:"error_code,omitempty"`
	// Details is present with [PendingApproval] and [CommandNotPinned] only.
	Details *Details `json:"details,omitempty"`
	// ConfirmationID is present with [ConfirmationRequired] only: what a second
	// person confirms.
	ConfirmationID string `json:"confirmation_id,omitempty"`
	// RetryAfter is how long to wait before the next try; 0 when unsaid. It
	// travels in the Retry-After header, in whole seconds.
	RetryAfter time.Duration `json:"-"`
}

// Error returns the message, or the code when there is none.
func (e *Error) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return string(e.Code)
}

// Unwrap returns the code, or nil when the answer had none.
func (e *Error) Unwrap() error {
	if e.Code == "" {
		return nil
	}
	return e.Code
}

// Details say what waits for a person's decision.
type Details struct {
	// With [PendingApproval].
	GrantID       string   `json:"grant_id,omitempty"`
	RequestedKeys []string `json:"requested_keys,omitempty"`
	AgentID       string   `json:"agent_id,omitempty"`
	ProjectName   string   `json:"project_name,omitempty"`
	// With [CommandNotPinned]: PinID is what would have to be approved, empty where
	// nothing of the command is kept, and Why what differs from what was approved.
	PinID string `json:"pin_id,omitempty"`
	Why   string `json:"why,omitempty"`
}
