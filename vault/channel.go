package vault

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A ChannelType says how a channel delivers.
type ChannelType string

// The types of channels.
const (
	Slack    ChannelType = "slack"
	Discord  ChannelType = "discord"
	Telegram ChannelType = "telegram"
	Email    ChannelType = "email"
	Webhook  ChannelType = "webhook"
)

// The bounds of channels.
const (
	maxChannels    = 512
	maxChannelsOf  = 64 // that hear of one namespace; likewise of all of them
	maxChannelName = 128
	maxConfig      = 16 << 10
	maxTemplate    = 1000
	maxFilter      = 64
)

// channels says where messages go. A channel's config is sealed: a webhook's
// address is a credential.
var (
	channels = store.Rows[channelRow]("channel")
	_        = store.Unique(channels, "channel_by_name", func(r channelRow) (store.Key, bool) {
		return store.Key(r.Name), true
	})
)

type channelRow struct {
	ID          string           `cbor:"1,keyasint"`
	Type        ChannelType      `cbor:"2,keyasint"`
	Name        string           `cbor:"3,keyasint"`
	Enabled     bool             `cbor:"4,keyasint,omitempty"`
	Description *string          `cbor:"5,keyasint,omitempty"`
	MinSeverity Severity         `cbor:"6,keyasint,omitempty"`
	Namespaces  []string         `cbor:"7,keyasint,omitempty"`
	Events      []string         `cbor:"8,keyasint,omitempty"`
	Template    string           `cbor:"9,keyasint,omitempty"`
	Version     uint64           `cbor:"10,keyasint"` // of the config
	Envelope    keyring.Envelope `cbor:"11,keyasint"`
	Created     int64            `cbor:"12,keyasint"`
	Updated     int64            `cbor:"13,keyasint"`
}

// Key returns the row id.
func (r channelRow) Key() store.Key { return store.Key(r.ID) }

// wants reports whether the channel is to be told.
func (r channelRow) wants(b messageBody) bool {
	return r.Enabled && b.Severity.rank() >= r.MinSeverity.rank() &&
		(len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, b.Namespace)) &&
		(len(r.Events) == 0 || slices.Contains(r.Events, b.Kind))
}

// A Channel is a place where people are told, without its config.
type Channel struct {
	ID   string
	Type ChannelType
	Name string
	// Description is nil if there is none.
	Description *string
	Enabled     bool
	ChannelFilter
	Created, Updated time.Time
	// Queued is how many messages wait, and Dead how many could not be delivered.
	Queued, Dead int
	// Sent is when the last message was delivered, nil if none was.
	Sent *time.Time
	// Trouble says why the last attempt failed, empty if it did not.
	Trouble string
}

// A ChannelFilter says what a channel is told, and how.
type ChannelFilter struct {
	// MinSeverity leaves out what is less urgent. If empty, nothing.
	MinSeverity Severity
	// Namespaces leaves out what happens elsewhere, and what is about the vault
	// as a whole. If empty, nothing.
	Namespaces []string
	// Events are the kinds of messages that are told. If empty, all.
	Events []string
	// Template is the text, which the server understands. If empty, its own.
	Template string
}

func (f ChannelFilter) validate() error {
	if f.MinSeverity != "" && f.MinSeverity.rank() == 0 {
		return invalid("min_severity", "must be info, warning or critical")
	}
	if len(f.Namespaces) > maxFilter {
		return invalid("namespaces", "must not be more than %d", maxFilter)
	}
	for _, n := range f.Namespaces {
		if err := checkName("namespaces", n); err != nil {
			return err
		}
	}
	kinds := MessageKinds()
	for _, e := range f.Events {
		if !slices.Contains(kinds, e) {
			return invalid("events", "must be of %s", strings.Join(kinds, ", "))
		}
	}
	if len(f.Events) > len(kinds) {
		return invalid("events", "must not name an event twice")
	}
	return checkText("template", &f.Template, maxTemplate)
}

func (r channelRow) channel() Channel {
	return Channel{
		ID: r.ID, Type: r.Type, Name: r.Name, Description: r.Description, Enabled: r.Enabled,
		ChannelFilter: ChannelFilter{r.MinSeverity, r.Namespaces, r.Events, r.Template},
		Created:       nanos(r.Created), Updated: nanos(r.Updated),
	}
}

func checkConfig(c opaque.Bytes) error {
	if c.Len() == 0 || c.Len() > maxConfig {
		return invalid("config", "must be 1 to %d bytes long", maxConfig)
	}
	return nil
}

// tends returns [ErrDenied] unless the caller may see and change channels that
// hear of these namespaces: one who is confined must not hear of others.
func (o *op) tends(namespaces []string) error {
	if len(namespaces) == 0 && o.by.Scoped() {
		return ErrDenied
	}
	o.anywhere()
	for _, n := range namespaces {
		if err := o.within(n); err != nil {
			return err
		}
	}
	return nil
}

// channel returns a channel that the caller may see and change.
func (o *op) channel(id string) (channelRow, error) {
	row, err := channels.Get(o.Tx, store.Key(id))
	if err != nil {
		return channelRow{}, err
	}
	if o.tends(row.Namespaces) != nil {
		return channelRow{}, ErrNotFound
	}
	o.record.resource = row.Name
	return row, nil
}

// Channel returns one channel, without what is known of its messages.
func (v *Vault) Channel(ctx context.Context, by access.Caller, id string) (c Channel, err error) {
	err = v.look(ctx, by, access.ListChannels, func(o *op) error {
		row, err := o.channel(id)
		c = row.channel()
		return err
	})
	return c, err
}

// Channels returns the channels, oldest first.
func (v *Vault) Channels(ctx context.Context, by access.Caller) (all []Channel, err error) {
	err = v.look(ctx, by, access.ListChannels, func(o *op) error {
		all = []Channel{}
		o.anywhere() // what the caller is confined to is all that it sees
		for r, err := range channels.All(o.Tx, "") {
			if err != nil {
				return err
			}
			if o.tends(r.Namespaces) != nil {
				continue
			}
			q, err := o.queue(r.ID)
			if err != nil {
				return err
			}
			c := r.channel()
			c.Queued, c.Dead, c.Trouble = q.Queued, q.Dead, q.Why
			if q.Sent != 0 {
				c.Sent = new(nanos(q.Sent))
			}
			all = append(all, c)
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Channel) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// hears returns the namespaces that a channel hears of, the empty one for all.
func (r channelRow) hears() []string {
	if len(r.Namespaces) == 0 {
		return []string{""}
	}
	return r.Namespaces
}

// config returns the config of a channel, which the caller wipes.
func (o *op) config(r channelRow) (opaque.Bytes, error) {
	plain, err := o.keys.open("channel", r.ID, r.Version, r.Envelope)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("opening config of channel %s: %w", r.ID, err)
	}
	return opaque.New(plain), nil
}
