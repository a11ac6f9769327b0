package notify

import (
	"context"

	"github.com/cortex-auth/cortex/server/strict"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A transport is a channel's config, ready to send.
type transport interface {
	// check refuses a config that cannot work.
	check() error
	// send delivers a letter. Any error is a [failure].
	send(ctx context.Context, p *poster, l letter) error
}

// Check refuses a config that is not good for channels of that type, and a
// template that cannot be filled in. Errors are written for whoever sent them,
// and quote nothing.
func Check(t vault.ChannelType, config opaque.Bytes) error {
	_, err := parse(t, config.Reveal())
	return err
}

// parse reads a config.
func parse(t vault.ChannelType, config []byte) (transport, error) {
	switch t {
	case vault.Slack:
		return read[slack](config)
	case vault.Discord:
		return read[discord](config)
	case vault.Telegram:
		return read[telegram](config)
	case vault.Email:
		return read[email](config)
	case vault.Webhook:
		return read[webhook](config)
	}
	return nil, &vault.InvalidError{Field: "channel_type", Reason: "must be slack, discord, telegram, email or webhook"}
}

func read[T transport](config []byte) (transport, error) {
	t, err := strict.For[T]().Decode(config)
	if err != nil {
		return nil, configError(err)
	}
	return t, t.check()
}

// configError says of an error in a config that it is in the config.
func configError(err error) error {
	e, ok := err.(*strict.Error)
	if !ok || e.Member == "" {
		return bad("", "must be a JSON object with members that are right for the type")
	}
	return bad(e.Member, e.Reason)
}

// bad says what is wrong with a member of a config.
func bad(member, reason string) error {
	field := "config"
	if member != "" {
		field += "." + member
	}
	return &vault.InvalidError{Field: field, Reason: reason}
}
