package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// NewChannel is what [Vault.CreateChannel] needs.
type NewChannel struct {
	Type ChannelType
	// Name is unique.
	Name string
	// Config says where to deliver. What is in it is for the notifier to know.
	Config      opaque.Bytes
	Enabled     bool
	Description *string
	ChannelFilter
}

func (n NewChannel) validate() error {
	if !slices.Contains([]ChannelType{Slack, Discord, Telegram, Email, Webhook}, n.Type) {
		return invalid("channel_type", "must be slack, discord, telegram, email or webhook")
	}
	if strings.TrimSpace(n.Name) == "" {
		return invalid("name", "must not be blank")
	}
	if err := checkLine("name", &n.Name, maxChannelName); err != nil {
		return err
	}
	if err := checkText("description", n.Description, maxDescription); err != nil {
		return err
	}
	if err := checkConfig(n.Config); err != nil {
		return err
	}
	return n.ChannelFilter.validate()
}

// CreateChannel keeps a new channel. A name that is taken is [ErrExists], and
// one channel too many is [ErrTooMany].
func (v *Vault) CreateChannel(ctx context.Context, by access.Caller, n NewChannel) (c Channel, err error) {
	if err := n.validate(); err != nil {
		return Channel{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateChannel, resource: n.Name}, func(o *op) error {
		if err := o.tends(n.Namespaces); err != nil {
			return err
		}
		now := o.now.UnixNano()
		row := channelRow{
			ID: uuid.NewString(), Type: n.Type, Name: n.Name, Enabled: n.Enabled, Description: n.Description,
			MinSeverity: n.MinSeverity, Namespaces: n.Namespaces, Events: n.Events, Template: n.Template,
			Created: now, Updated: now,
		}
		if err := o.roomFor(row); err != nil {
			return err
		}
		row, err := o.configure(row, n.Config)
		if err != nil {
			return err
		}
		c = row.channel()
		o.record.about(row.ID, "type="+string(row.Type))
		return channels.Insert(o.Tx, row)
	})
	return c, err
}

// roomFor returns [ErrTooMany] for a channel that is one too many, of all or of
// those that hear of a namespace: who is confined cannot use up everybody's.
func (o *op) roomFor(r channelRow) error {
	all, of := 0, map[string]int{}
	for c, err := range channels.All(o.Tx, "") {
		if err != nil {
			return err
		}
		if c.ID == r.ID {
			continue
		}
		all++
		for _, ns := range c.hears() {
			of[ns]++
		}
	}
	if all >= maxChannels || slices.ContainsFunc(r.hears(), func(ns string) bool { return of[ns] >= maxChannelsOf }) {
		return ErrTooMany
	}
	return nil
}

// configure seals a config for its channel.
func (o *op) configure(r channelRow, config opaque.Bytes) (_ channelRow, err error) {
	r.Version++
	r.Envelope, err = o.seal("channel", r.ID, r.Version, config.Reveal())
	return r, err
}

// ChannelChange says what to change; nil fields stay as they are.
type ChannelChange struct {
	Config      *opaque.Bytes
	Enabled     *bool
	Description *string
	MinSeverity *Severity
	Namespaces  *[]string
	Events      *[]string
	Template    *string
}

// UpdateChannel changes a channel. What waits for one that is disabled stays
// where it is, and is delivered when it is enabled again.
func (v *Vault) UpdateChannel(ctx context.Context, by access.Caller, id string, change ChannelChange) error {
	if err := checkText("description", change.Description, maxDescription); err != nil {
		return err
	}
	return v.do(ctx, by, record{action: access.UpdateChannel, resource: id}, func(o *op) error {
		row, err := o.channel(id)
		if err != nil {
			return err
		}
		if row, err = o.changeChannel(row, change); err != nil {
			return err
		}
		if err := o.hurry(row.ID); err != nil {
			return err
		}
		return channels.Put(o.Tx, row)
	})
}

func (o *op) changeChannel(row channelRow, c ChannelChange) (channelRow, error) {
	row.Updated = o.now.UnixNano()
	assign(&row.Enabled, c.Enabled)
	assign(&row.MinSeverity, c.MinSeverity)
	assign(&row.Namespaces, c.Namespaces)
	assign(&row.Events, c.Events)
	assign(&row.Template, c.Template)
	if c.Description != nil {
		row.Description = c.Description
	}
	if c.Enabled != nil {
		o.record.about(row.ID, fmt.Sprintf("enabled=%t", row.Enabled))
	}
	if err := row.channel().ChannelFilter.validate(); err != nil {
		return row, err
	}
	if err := o.tends(row.Namespaces); err != nil {
		return row, err
	}
	if c.Namespaces != nil {
		if err := o.roomFor(row); err != nil {
			return row, err
		}
	}
	if c.Config == nil {
		return row, nil
	}
	o.record.about("config", "changed")
	if err := checkConfig(*c.Config); err != nil {
		return row, err
	}
	return o.configure(row, *c.Config)
}

// DeleteChannel deletes a channel, with what waits for it.
func (v *Vault) DeleteChannel(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeleteChannel, resource: id}, func(o *op) error {
		row, err := o.channel(id)
		if err != nil {
			return err
		}
		if err := o.dropMessages(id); err != nil {
			return err
		}
		return channels.Delete(o.Tx, row.Key())
	})
}
