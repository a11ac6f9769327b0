package keyring

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/crypto/argon2"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Params is what a derivation with Argon2id costs.
type Params struct {
	// Memory is in KiB, 8 MiB to 2 GiB.
	Memory uint32 `cbor:"1,keyasint"`
	// Time is the number of passes, 1 to 16.
	Time uint32 `cbor:"2,keyasint"`
	// Threads is the degree of parallelism, 1 to 16.
	Threads uint8 `cbor:"3,keyasint"`
}

var (
	// High takes 1 GiB.
	High = Params{Memory: 1 << 20, Time: 6, Threads: 4}
	// Low takes 64 MiB.
	Low = Params{Memory: 64 << 10, Time: 3, Threads: 4}
)

// enough is the available memory in bytes that High asks for: three times
// what it takes, because a vault is rarely alone.
const enough = 3 << 30

// Usual returns what a new vault takes: High, or Low where less than 3 GiB of
// memory are available to the process.
func Usual() Params {
	if n, ok := available(); ok && n < enough {
		return Low
	}
	return High
}

// Profile returns the Params called "high" or "low", and zero for "".
func Profile(name string) (Params, error) {
	switch name {
	case "high":
		return High, nil
	case "low":
		return Low, nil
	case "":
		return Params{}, nil
	}
	return Params{}, fmt.Errorf("unknown key derivation profile %q: want high or low", name)
}

// Validate returns an ErrParams if a cost is out of its range. Costs come from
// the file, and whoever wrote it must not be able to exhaust the machine.
func (p Params) Validate() error {
	switch {
	case p.Memory < 8<<10 || p.Memory > 2<<20:
		return fmt.Errorf("%w: %d KiB of memory", ErrParams, p.Memory)
	case p.Time < 1 || p.Time > 16:
		return fmt.Errorf("%w: %d passes", ErrParams, p.Time)
	case p.Threads < 1 || p.Threads > 16:
		return fmt.Errorf("%w: %d threads", ErrParams, p.Threads)
	}
	return nil
}

// deriving is held by the one derivation there may be at a time: two at once need
// twice the memory.
var deriving = make(chan struct{}, 1)

// derive returns the slot key, which the caller wipes, for a password. A
// derivation cannot be stopped: when ctx ends it is left to itself.
func (p Params) derive(ctx context.Context, password opaque.Bytes, salt []byte) ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	select {
	case deriving <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	own, keys := bytes.Clone(password.Reveal()), make(chan []byte)
	go func() {
		defer func() { <-deriving }()
		key := p.stretch(own, salt)
		select {
		case keys <- key:
		case <-ctx.Done():
			locked.Wipe(key)
		}
	}()
	select {
	case key := <-keys:
		return key, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// stretch returns the key for a password, which it wipes.
func (p Params) stretch(password, salt []byte) (key []byte) {
	defer locked.Wipe(password)
	locked.Scrubbed(func() {
		key = argon2.IDKey(password, salt, p.Time, p.Memory, p.Threads, KEKSize)
	})
	// The working memory is as good as the key, and the process would
	// otherwise hold on to a gigabyte.
	debug.FreeOSMemory()
	return key
}
