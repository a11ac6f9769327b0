package token

import (
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// Issuer is the iss claim of every token.
const Issuer = "cortex-auth"

// The audiences a token can be for.
const (
	AudienceProject = "cortex-cli"    // project tokens
	AudienceDaemon  = "cortex-daemon" // device access tokens
)

// ScopeDaemon is the only scope of a device access token.
const ScopeDaemon = "daemon"

// How long tokens live.
const (
	ProjectTTL = 14 * 24 * time.Hour
	DeviceTTL  = 30 * 24 * time.Hour
	// AccessTTL is for a device that gets its access tokens by proof of a key.
	AccessTTL = 24 * time.Hour
)

// clockSlack is how far in the future a token may have been issued: servers
// that share a key need not agree on the time to the second.
const clockSlack = 5 * time.Minute

// Claims are what a token says. Times are Unix seconds. Members that are
// empty are left out, except the scope of a project token.
type Claims struct {
	Audience  string `json:"aud"`
	Expires   int64  `json:"exp"`
	IssuedAt  int64  `json:"iat"`
	Issuer    string `json:"iss"`
	ID        string `json:"jti"`
	Namespace string `json:"namespace,omitempty"`
	ProjectID string `json:"project_id,omitempty"`
	RowID     string `json:"row_id,omitempty"` // the agent's row: an id made anew is another agent
	Scope     Scope  `json:"scope"`
	Subject   string `json:"sub"`
}

// A Scope is the sorted key paths of a project token, an array on the wire, or
// the words of a device token's scope, one string on the wire.
type Scope struct {
	Paths []string
	Words string
}

// MarshalJSON writes the string if there is one, else the array, which is
// never null.
func (s Scope) MarshalJSON() ([]byte, error) {
	if s.Words != "" {
		return json.Marshal(s.Words)
	}
	return json.Marshal(append([]string{}, s.Paths...))
}

// UnmarshalJSON reads either form.
func (s *Scope) UnmarshalJSON(b []byte) error {
	*s = Scope{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &s.Words)
	}
	return json.Unmarshal(b, &s.Paths)
}

// Project returns the claims of a project's token, issued now for
// [ProjectTTL]. The scope is sorted key paths; jti must be the one stored with
// the project.
func Project(name, namespace, jti string, scope []string) Claims {
	now := time.Now()
	return Claims{
		Audience: AudienceProject, Issuer: Issuer, ID: jti,
		IssuedAt: now.Unix(), Expires: now.Add(ProjectTTL).Unix(),
		Subject: name, ProjectID: name, Namespace: namespace, Scope: Scope{Paths: scope},
	}
}

// Device returns the claims of a device access token for an agent, issued now
// for [DeviceTTL].
func Device(agentID, namespace, rowID, jti string) Claims {
	now := time.Now()
	return Claims{
		Audience: AudienceDaemon, Issuer: Issuer, ID: jti,
		IssuedAt: now.Unix(), Expires: now.Add(DeviceTTL).Unix(),
		Subject: agentID, Namespace: namespace, RowID: rowID, Scope: Scope{Words: ScopeDaemon},
	}
}

// Check reports why a token is not good at the given time for the given
// audience: [ErrMalformed] when it names nobody, [ErrIssuer], [ErrAudience],
// [ErrNotYet] or [ErrExpired]. A token is expired from the second it names on.
// Who the subject is and whether the id was revoked, the caller must compare.
func (c Claims) Check(now time.Time, audience string) error {
	switch {
	case c.Subject == "" || c.ID == "":
		return fmt.Errorf("%w: no subject or no id", ErrMalformed)
	case c.Issuer != Issuer:
		return ErrIssuer
	case c.Audience != audience:
		return ErrAudience
	case c.IssuedAt > now.Add(clockSlack).Unix():
		return ErrNotYet
	case c.Expires <= now.Unix():
		return ErrExpired
	}
	return nil
}
