package keyring

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestProfile(t *testing.T) {
	for name, want := range map[string]Params{"high": {1 << 20, 6, 4}, "low": {64 << 10, 3, 4}, "": {}} {
		if got, err := Profile(name); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"High", "LOW", "medium", " low", "0"} {
		if p, err := Profile(name); err == nil {
			t.Errorf("%q is %+v", name, p)
		}
	}
	n, ok := available()
	if !ok || n < 16<<20 {
		t.Fatalf("%d bytes of memory are available: %t", n, ok)
	}
	want := High
	if n < 3<<30 {
		want = Low
	}
	if got := Usual(); got != want {
		t.Errorf("with %d bytes available: %+v", n, got)
	}
}

func TestValidate(t *testing.T) {
	for _, p := range []Params{High, Low, {8 << 10, 1, 1}, {2 << 20, 16, 16}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []Params{
		{}, {8<<10 - 1, 1, 1}, {2<<20 + 1, 1, 1}, {1<<32 - 1, 1, 1}, {8 << 10, 0, 1}, {8 << 10, 17, 1}, {8 << 10, 1, 0}, {8 << 10, 1, 17}, {8 << 10, 1, 255},
	} {
		if err := p.Validate(); !errors.Is(err, ErrParams) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// Nobody waits for the end of a derivation whose outcome nobody wants any more,
// nor for that of another one.
func TestDerivationIsLeft(t *testing.T) {
	dear := Params{Memory: 64 << 10, Time: 16, Threads: 1}
	for _, what := range []string{"its own", "another"} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		password := opaque.New([]byte("password"))
		if key, err := dear.derive(ctx, password, make([]byte, saltSize)); !errors.Is(err, context.DeadlineExceeded) || key != nil {
			t.Errorf("%s: %x, %v", what, key, err)
		}
		if len(deriving) != 1 {
			t.Errorf("%s: waited for its end", what)
		}
		password.Wipe()
	}
}
