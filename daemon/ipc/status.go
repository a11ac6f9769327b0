package ipc

// A Status answers a status request.
type Status struct {
	OK bool `json:"ok"`
	// Session is the login, without its token; null without one.
	Session *Login `json:"session"`
	// AttestSessionID is the live session with the server, "" while there is
	// none. ExpiresAt is when it ends, in RFC 3339.
	AttestSessionID string `json:"attest_session_id"`
	ExpiresAt       string `json:"expires_at,omitempty"`
	AgentID         string `json:"agent_id"`
	ServerURL       string `json:"server_url"`
	// Problem is why there is no session, or why the server refuses another one
	// in its place, one line for people.
	Problem string `json:"problem,omitempty"`
	// Hint is what to do about it, where that is known.
	Hint string `json:"hint,omitempty"`
	// Server is what the daemon knows of the server; nil without a login.
	Server  *Server `json:"server,omitempty"`
	PID     int     `json:"pid"`
	Version string  `json:"version"`
	// Runs is the number of programs running now.
	Runs int `json:"runs"`
	// Projects are those that were asked for since the login was taken up, and
	// have a token or wait for one.
	Projects []Project `json:"projects"`
	// AwaySince is since when the server is away, in RFC 3339; "" while it is not.
	AwaySince string `json:"away_since,omitempty"`
	// Held are the projects that have values for when the server is away.
	Held []Held `json:"held"`
	// Journal is how many uses of these the server was not told of yet.
	Journal int `json:"journal"`
	// Failures are the latest, the newest first.
	Failures []Failure `json:"failures"`
	// Hardening is what the daemon's process is protected by.
	Hardening []Measure `json:"hardening"`
}

// A Server is what a daemon knows of its server.
type Server struct {
	// Key is the fingerprint of the key that it is known by; "" where that is its
	// certificate.
	Key string `json:"key,omitempty"`
	// Heard is when something last came from it, in RFC 3339; "" for never.
	Heard string `json:"heard,omitempty"`
	// ClockOff is by how many seconds its clock was ahead of this host's then, at
	// least; nil where it did not say.
	ClockOff *int64 `json:"clock_off,omitempty"`
}

// A Login is what `daemon login` left behind.
type Login struct {
	ServerURL string `json:"server_url"`
	AgentID   string `json:"agent_id"`
	// Proved tells that it stands on a proof of the agent's key; ExpiresAt is when
	// another one ends, in RFC 3339.
	Proved    bool   `json:"proved"`
	ExpiresAt string `json:"expires_at,omitempty"`
}

// A Project is how things stand with one.
type Project struct {
	Name string `json:"name"`
	// ExpiresAt is when its token ends, in RFC 3339; "" without one.
	ExpiresAt string `json:"expires_at,omitempty"`
	// GrantID is what waits for a person's approval.
	GrantID string `json:"grant_id,omitempty"`
}

// A Held is a project that has values for when the server is away.
type Held struct {
	Project string `json:"project"`
	Until   string `json:"until"` // RFC 3339
}

// A Failure is why a program was not started, or no session opened.
type Failure struct {
	At    string `json:"at"` // RFC 3339
	Error string `json:"error"`
}

// A Measure is one protection, had or not.
type Measure struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}
