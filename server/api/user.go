package api

// The roles of accounts.
const (
	RoleSuper    = "super"
	RoleAdmin    = "admin"
	RoleApprover = "approver"
	RoleAuditor  = "auditor"
)

// A User is one row of GET /admin/users, and answers what makes and changes one.
type User struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Role       string   `json:"role"`
	Namespaces []string `json:"namespaces"` // empty: all
	Disabled   bool     `json:"disabled"`
	CreatedAt  Time     `json:"created_at"`
}

// CreateUser is the body of POST /admin/users.
type CreateUser struct {
	Name       string   `json:"name"`
	Role       string   `json:"role"`
	Namespaces []string `json:"namespaces,omitempty"`
	Password   Value    `json:"password"`
}

// UpdateUser is the body of PUT /admin/users/{id}. What is nil stays.
type UpdateUser struct {
	Role       *string   `json:"role,omitempty"`
	Namespaces *[]string `json:"namespaces,omitempty"`
	Disabled   *bool     `json:"disabled,omitempty"`
	Password   Value     `json:"password,omitzero"`
}

// LoginRequest is the body of POST /login.
type LoginRequest struct {
	Name     string `json:"name"`
	Password Value  `json:"password"`
}

// LoginResponse answers it. The token goes into the header X-Admin-Token.
type LoginResponse struct {
	Token      Value    `json:"token"`
	ExpiresAt  Time     `json:"expires_at"`
	Name       string   `json:"name"`
	Role       string   `json:"role"`
	Namespaces []string `json:"namespaces"`
}

// LoggedOut answers POST /admin/logout.
type LoggedOut struct {
	LoggedOut bool `json:"logged_out"`
}

// WhoAmI answers GET /admin/whoami.
type WhoAmI struct {
	Name       string   `json:"name"`
	Role       string   `json:"role"`
	Namespaces []string `json:"namespaces"`
}

// ChangePassword is the body of POST /admin/password.
type ChangePassword struct {
	CurrentPassword Value `json:"current_password"`
	NewPassword     Value `json:"new_password"`
}

// ChangedPassword answers it.
type ChangedPassword struct {
	Changed bool `json:"changed"`
}

// A Confirmation is one row of GET /admin/confirmations, and answers POST
// /admin/confirmations/{id}/confirm.
type Confirmation struct {
	ID          string  `json:"id"`
	Action      string  `json:"action"`
	What        string  `json:"what"`
	AskedBy     string  `json:"asked_by"`
	CreatedAt   Time    `json:"created_at"`
	ExpiresAt   Time    `json:"expires_at"`
	ConfirmedBy *string `json:"confirmed_by"`
}
