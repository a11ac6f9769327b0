package vault

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// A Severity says how soon somebody should look.
type Severity string

// The severities, in order.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// rank orders severities; 0 for what is none.
func (s Severity) rank() int { return 1 + slices.Index([]Severity{Info, Warning, Critical}, s) }

// severities says which audit records people are told of, and how urgent that
// is. What was refused is not told; an alarm is, whether it stands here or not.
var severities = map[access.Action]Severity{
	access.HoneyTokenAccess:     Critical,
	access.AgentOnTwoHosts:      Critical,
	access.AgentKeyChange:       Critical,
	access.JournalGap:           Critical,
	access.JournalRejected:      Critical,
	access.RecoveryBoot:         Critical,
	access.Restore:              Critical,
	access.DaemonAttestRejected: Warning,
	access.DiscoverLimit:        Warning,
	access.RepeatedFailures:     Warning,
	access.Freeze:               Warning,
	access.Unfreeze:             Info,
	access.Seal:                 Warning,
	access.Unseal:               Info,
	access.RotateKEK:            Warning,
	access.RotateSigningKey:     Warning,
	access.ChangePassword:       Warning,
	access.SplitKey:             Warning,
	access.SecretExpiring:       Warning,
	access.SecretExpired:        Warning,
	access.DiscoverPendingNew:   Info,
	access.AskPin:               Info,
	access.AskConfirmation:      Warning,
	access.NotificationFailed:   Warning,
}

// The kinds of messages that are about no audit record of their own.
const (
	// KindTest is a test that an administrator asked for.
	KindTest = "test"
	// KindDropped says how many messages a full queue did not take.
	KindDropped = "messages_dropped"
)

// MessageKinds returns the kinds of events that a channel can ask for, sorted:
// the audit actions that people are told of.
func MessageKinds() []string {
	var kinds []string
	for a := range maps.Keys(severities) {
		kinds = append(kinds, string(a))
	}
	slices.Sort(kinds)
	return kinds
}

// severity returns how urgent a record is, false if nobody is told.
func (r record) severity() (Severity, bool) {
	s, listed := severities[r.action]
	switch {
	case r.status == statusAlarm && !listed:
		return Critical, true
	case r.action == access.AskConfirmation && r.status != statusPending:
		return "", false // it was given
	case r.status == statusDenied || r.status == "failed" || strings.HasPrefix(r.status, statusRefused):
		return "", false
	}
	return s, listed
}

// A Message is something that people are told. It holds names and never values.
// What agents and strangers can choose, they did: it is text to be escaped.
type Message struct {
	// ID is the same at each attempt to deliver the message.
	ID string
	// Kind is the audit action, or [KindTest] or [KindDropped].
	Kind     string
	Severity Severity
	// What it is about, as far as it is known: Resource is what the audit entry
	// names, Ref the id of what can be decided on, Reason what somebody gave as
	// one, Names the variables.
	Namespace, Agent, Project, Resource, Ref, Reason string
	Names                                            []string
	// Actor is who did it, from the address Source and the host named Host.
	Actor, Source, Host string
	// More is how many messages like this one it stands for; 0 for itself alone.
	More int
	// Entry is the number of the audit entry, 0 if there is none.
	Entry uint64
	Time  time.Time
}

// A messageBody is a message as it is kept.
type messageBody struct {
	Kind      string   `cbor:"1,keyasint"`
	Severity  Severity `cbor:"2,keyasint"`
	Namespace string   `cbor:"3,keyasint,omitempty"`
	Agent     string   `cbor:"4,keyasint,omitempty"`
	Project   string   `cbor:"5,keyasint,omitempty"`
	Resource  string   `cbor:"6,keyasint,omitempty"`
	Ref       string   `cbor:"7,keyasint,omitempty"`
	Names     []string `cbor:"8,keyasint,omitempty"`
	Actor     string   `cbor:"9,keyasint,omitempty"`
	Source    string   `cbor:"10,keyasint,omitempty"`
	Host      string   `cbor:"11,keyasint,omitempty"`
	More      int      `cbor:"12,keyasint,omitempty"`
	Entry     uint64   `cbor:"13,keyasint,omitempty"`
	Time      int64    `cbor:"14,keyasint"`
	Reason    string   `cbor:"15,keyasint,omitempty"`
}

func (b messageBody) message(id string) Message {
	return Message{
		ID: id, Kind: b.Kind, Severity: b.Severity, Namespace: b.Namespace, Agent: b.Agent, Project: b.Project,
		Resource: b.Resource, Ref: b.Ref, Reason: b.Reason, Names: b.Names, Actor: b.Actor, Source: b.Source, Host: b.Host,
		More: b.More, Entry: b.Entry, Time: nanos(b.Time),
	}
}

// maxNames bounds the variables in a message.
const maxNames = 20

// body returns what people are told of a record, which became the entry e.
func (o *op) body(r record, e audit.Entry, seq uint64, s Severity) messageBody {
	return messageBody{
		Kind: string(r.action), Severity: s, Namespace: o.namespaceOf(r), Agent: r.agent, Project: r.project,
		Resource: r.resource, Ref: r.ref, Reason: r.reason, Names: r.names[:min(len(r.names), maxNames)], Actor: o.by.Name,
		Source: o.by.Origin.Source, Host: orEmpty(e.Caller.Hostname), Entry: seq, Time: o.now.UnixNano(),
	}
}

// namespaceOf returns where the thing that a record is about belongs; empty
// where that is the vault as a whole.
func (o *op) namespaceOf(r record) string {
	if known := cmp.Or(r.namespace, o.by.Namespace); known != "" {
		return known
	}
	for name := range namespacesOf(r.resources) {
		return name
	}
	return ""
}
