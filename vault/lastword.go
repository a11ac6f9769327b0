package vault

import (
	"context"
	"time"

	"github.com/cortex-auth/cortex/vault/access"
)

// lastWord is how long sealing waits for people to be told of it: without the
// keys nobody knows where to.
const lastWord = 3 * time.Second

// lastWords waits until each message that tells of the sealing was tried once,
// but not for longer than lastWord, and not for a client that goes away.
func (v *Vault) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastWord)
	defer cancel()
	for {
		waiting, err := v.untried(ctx, access.Seal)
		if err != nil {
			v.cfg.log().Error("looking for who is to be told of the sealing", "err", err)
		}
		if !waiting {
			return
		}
		select {
		case <-v.tried:
		case <-ctx.Done():
			v.cfg.log().Warn("sealing before everybody was told of it")
			return
		}
	}
}

// untried reports whether a message of a kind waits for its first attempt.
func (v *Vault) untried(ctx context.Context, kind access.Action) (waiting bool, err error) {
	err = v.look(ctx, access.TheSystem(), access.ListChannels, func(o *op) error {
		enabled := map[string]bool{}
		for c, err := range channels.All(o.Tx, "") {
			if err != nil {
				return err
			}
			enabled[c.ID] = c.Enabled
		}
		for m, err := range outbox.All(o.Tx, "") {
			if err != nil {
				return err
			}
			if enabled[m.Channel] && m.Body.Kind == string(kind) && m.Attempts == 0 {
				waiting = true
				return nil
			}
		}
		return nil
	})
	return waiting, err
}

// noteTried wakes who waits for an attempt.
func (v *Vault) noteTried() {
	select {
	case v.tried <- struct{}{}:
	default: // it will look anyway
	}
}
