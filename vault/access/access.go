// Package access says who asks and what they may.
//
// A [Caller] is the result of authentication: the server builds one from the
// credentials of a request, and no operation of the vault can be reached
// without one. An [Action] names an operation; its text is what the audit
// record carries. [Caller.May] is the whole of role-based access: whether a
// particular agent may have a particular secret is the vault's to decide.
package access

import (
	"slices"

	"github.com/cortex-auth/cortex/vault/audit"
)

// A Kind says what sort of party a caller is.
type Kind string

// The kinds of caller. The zero Kind is nobody, and may do nothing.
const (
	// Anonymous callers have shown no credential yet.
	Anonymous Kind = "anonymous"
	// Admin holds the administrator's token, or is logged in to an account.
	Admin Kind = "admin"
	// Agent proved an agent's key, or holds a token issued to that agent.
	Agent Kind = "agent"
	// System is the vault acting on its own: boot, housekeeping.
	System Kind = "system"
)

// Origin is where a request came from. Nothing in it is proof of anything;
// it is recorded, and used to count failures.
type Origin struct {
	// Source is the client's network address without the port.
	Source string
	// Meta is what the client says of the process it acts for.
	Meta audit.Caller
}

// A Caller is an authenticated party. The zero Caller may do nothing.
type Caller struct {
	// Kind is what sort of party this is.
	Kind Kind
	// ID is the row id of an agent or account; empty for the administrator's
	// token and the other kinds.
	ID string
	// Name is the agent's id or the account's name as people know it; "admin"
	// for the administrator's token.
	Name string
	// Namespace is the agent's namespace; empty for the other kinds.
	Namespace string
	// Auth names the credential that was shown, such as "admin-token".
	Auth string
	// Credential identifies the credential itself, such as the jti of a
	// device access token; empty where there is but one.
	Credential string
	// Role is what an administrator may do.
	Role Role
	// Namespaces are those that an administrator is confined to; none for one
	// who is not confined.
	Namespaces []string
	// Origin is where the request came from.
	Origin Origin
}

// Scoped reports whether c is confined to some namespaces.
func (c Caller) Scoped() bool { return len(c.Namespaces) > 0 }

// Within reports whether c's namespaces, if it is confined to any, have
// namespace among them.
func (c Caller) Within(namespace string) bool {
	return !c.Scoped() || slices.Contains(c.Namespaces, namespace)
}

// Nobody returns the caller of a request that carries no credential.
func Nobody(from Origin) Caller {
	return Caller{Kind: Anonymous, Auth: "none", Origin: from}
}

// TheSystem returns the vault itself as a caller.
func TheSystem() Caller {
	return Caller{Kind: System, Name: "system", Auth: "internal"}
}

// May reports whether c's kind may perform a at all.
func (c Caller) May(a Action) bool {
	switch c.Kind {
	case System:
		return true
	case Admin:
		return c.Role.may(a)
	case Agent:
		return agentActions[a]
	case Anonymous:
		return a == DeviceAuthorize
	default:
		return false
	}
}
