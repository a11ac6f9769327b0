package api

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// The types of notification channels.
const (
	Slack    = "slack"
	Discord  = "discord"
	Telegram = "telegram"
	Email    = "email"
	Webhook  = "webhook"
)

// A Channel is one row of GET /admin/notification-channels: everything but the
// config.
type Channel struct {
	ID          string  `json:"id"`
	ChannelType string  `json:"channel_type"`
	Name        string  `json:"name"`
	Enabled     bool    `json:"enabled"`
	Description *string `json:"description"`
	CreatedAt   Time    `json:"created_at"`
	UpdatedAt   Time    `json:"updated_at"`
	// What the channel is told, and how; absent where nothing is left out.
	MinSeverity string   `json:"min_severity,omitempty"`
	Namespaces  []string `json:"namespaces,omitempty"`
	Events      []string `json:"events,omitempty"`
	Template    string   `json:"template,omitempty"`
	// How its messages fare: how many wait and how many were given up, when the
	// last one was delivered, and why the last attempt failed, if it did.
	Queued      int    `json:"queued,omitempty"`
	DeadLetters int    `json:"dead_letters,omitempty"`
	DeliveredAt *Time  `json:"delivered_at,omitempty"`
	LastError   string `json:"last_error,omitempty"`
}

// CreateChannel is the body of POST /admin/notification-channels. Enabled is
// true if absent.
type CreateChannel struct {
	ChannelType string   `json:"channel_type"`
	Name        string   `json:"name"`
	Config      Document `json:"config"`
	Enabled     *bool    `json:"enabled,omitempty"`
	Description *string  `json:"description,omitempty"`
	MinSeverity string   `json:"min_severity,omitempty"`
	Namespaces  []string `json:"namespaces,omitempty"`
	Events      []string `json:"events,omitempty"`
	Template    string   `json:"template,omitempty"`
}

// CreatedChannel answers POST /admin/notification-channels.
type CreatedChannel struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	ChannelType string `json:"channel_type"`
}

// UpdateChannel is the body of PUT /admin/notification-channels/{id}. What is
// absent stays as it is; an empty list or text takes a filter away.
type UpdateChannel struct {
	Config      Document  `json:"config,omitzero"`
	Enabled     *bool     `json:"enabled,omitempty"`
	Description *string   `json:"description,omitempty"`
	MinSeverity *string   `json:"min_severity,omitempty"`
	Namespaces  *[]string `json:"namespaces,omitempty"`
	Events      *[]string `json:"events,omitempty"`
	Template    *string   `json:"template,omitempty"`
}

// TestedChannel answers POST /admin/notification-channels/{id}/test. Delivered
// and Error are there if the request said wait=true and the attempt came to an
// end meanwhile.
type TestedChannel struct {
	Queued    bool   `json:"queued"`
	Name      string `json:"name"`
	Delivered *bool  `json:"delivered,omitempty"`
	Error     string `json:"error,omitempty"`
}

// A DeadLetter is one row of GET /admin/notification-channels/{id}/dead-letters:
// a message that was given up.
type DeadLetter struct {
	Number      uint64   `json:"number"`
	ID          string   `json:"id"`
	Kind        string   `json:"kind"`
	Severity    string   `json:"severity"`
	Namespace   string   `json:"namespace,omitempty"`
	AgentID     string   `json:"agent_id,omitempty"`
	ProjectName string   `json:"project_name,omitempty"`
	Resource    string   `json:"resource,omitempty"`
	AuditSeq    uint64   `json:"audit_seq,omitempty"`
	Keys        []string `json:"keys,omitempty"`
	CreatedAt   Time     `json:"created_at"`
	Attempts    int      `json:"attempts"`
	Error       string   `json:"error"`
	DiedAt      Time     `json:"died_at"`
}

// Retried answers the retry of dead letters: how many wait again.
type Retried struct {
	Queued int `json:"queued"`
}

// A Notification is what a channel of type webhook posts. Texts are what agents
// and others chose, within limits: do not show them unescaped.
type Notification struct {
	ID          string   `json:"id"`
	Kind        string   `json:"kind"`
	Severity    string   `json:"severity"`
	Title       string   `json:"title"`
	Text        string   `json:"text"`
	Namespace   string   `json:"namespace,omitempty"`
	AgentID     string   `json:"agent_id,omitempty"`
	ProjectName string   `json:"project_name,omitempty"`
	Resource    string   `json:"resource,omitempty"`
	GrantID     string   `json:"grant_id,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	Keys        []string `json:"keys,omitempty"`
	Actor       string   `json:"actor,omitempty"`
	SourceIP    string   `json:"source_ip,omitempty"`
	Hostname    string   `json:"hostname,omitempty"`
	More        int      `json:"more,omitempty"`
	AuditSeq    uint64   `json:"audit_seq,omitempty"`
	Time        string   `json:"time"` // RFC 3339
	Test        bool     `json:"test,omitempty"`
}

// A Document is a JSON value with secrets in it. It travels as it is, and is
// "[opaque]" everywhere else. The zero Document means absent.
type Document struct{ reveal func() []byte }

// NewDocument returns a Document that holds the JSON text b, without a copy.
func NewDocument(b []byte) Document { return Document{func() []byte { return b }} }

// Reveal returns the JSON text, nil for the zero Document.
func (d Document) Reveal() []byte {
	if d.reveal == nil {
		return nil
	}
	return d.reveal()
}

// IsZero reports whether d is absent.
func (d Document) IsZero() bool { return d.reveal == nil }

// Wipe zeroes the bytes Reveal returns.
func (d Document) Wipe() { clear(d.Reveal()) }

// Format prints "[opaque]" for every verb.
func (Document) Format(f fmt.State, _ rune) { io.WriteString(f, opaque) }

// LogValue returns "[opaque]".
func (Document) LogValue() slog.Value { return slog.StringValue(opaque) }

// MarshalText returns "[opaque]", so that text encoders other than JSON print
// nothing.
func (Document) MarshalText() ([]byte, error) { return []byte(opaque), nil }

// MarshalJSON returns the JSON text; an absent Document is an error.
func (d Document) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return nil, errNoDocument
	}
	return d.Reveal(), nil
}

var errNoDocument = errors.New("there is no JSON value")

// UnmarshalJSON takes any value, and leaves d alone for null.
func (d *Document) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	*d = NewDocument(append([]byte(nil), b...))
	return nil
}
