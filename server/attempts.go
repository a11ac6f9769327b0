package server

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

const (
	// attemptLife is how long the shares of an attempt wait for the others.
	attemptLife = 5 * time.Minute
	// maxAttempts bounds how many wait at once.
	maxAttempts = 8
)

// attempts are the shares that people have given so far. The zero value is ready.
type attempts struct {
	mu   sync.Mutex // guards what follows
	open map[string]*attempt
}

// An attempt is one try to bring enough shares together.
type attempt struct {
	set   vault.ShareSet
	until time.Time
}

// offer adds a share to an attempt, or to a new one if it has no name, and opens
// the vault with the last one. What it says is good while the vault is sealed.
func (a *attempts) offer(ctx context.Context, v *vault.Vault, name string, share opaque.Bytes) (api.SealStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep(time.Now())
	try, known := a.open[name]
	switch {
	case name == "" && len(a.open) >= maxAttempts:
		return api.SealStatus{}, vault.ErrTooMany
	case name == "":
		name, try = rand.Text(), &attempt{until: time.Now().Add(attemptLife)}
	case !known:
		return api.SealStatus{}, &vault.InvalidError{Field: "attempt", Reason: "is unknown or over; begin again without it"}
	}
	if err := v.AddShare(ctx, &try.set, share); err != nil {
		return api.SealStatus{}, err
	}
	if a.open == nil {
		a.open = map[string]*attempt{}
	}
	a.open[name] = try
	if n := try.set.Missing(); n > 0 {
		return api.SealStatus{Sealed: true, Initialized: true, Attempt: name, Missing: n}, nil
	}
	delete(a.open, name)
	defer try.set.Wipe()
	return api.SealStatus{}, v.Recover(ctx, &try.set)
}

// sweep forgets attempts that are over.
func (a *attempts) sweep(now time.Time) {
	for name, try := range a.open {
		if now.After(try.until) {
			try.set.Wipe()
			delete(a.open, name)
		}
	}
}
