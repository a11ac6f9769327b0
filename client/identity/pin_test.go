package identity

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

func pinned(t *testing.T, issued int64) *pin.Pin {
	t.Helper()
	vault, err := proof.DecodeKey(vecPub)
	if err != nil {
		t.Fatal(err)
	}
	return &pin.Pin{Key: proof.TLSKey{byte(issued)}, Vault: vault, Issued: issued}
}

func save(t *testing.T, dir string, key Key, p *pin.Pin) {
	t.Helper()
	s := session()
	s.Pin = p
	if err := SaveSession(dir, key, s, opaque.New([]byte(vecJWT))); err != nil {
		t.Fatal(err)
	}
}

// same compares what two pins say.
func same(a, b *pin.Pin) bool { return fmt.Sprint(newPinFile(a)) == fmt.Sprint(newPinFile(b)) }

// The pin is in the file, and whoever changes it or takes it out breaks the seal.
func TestPinnedSession(t *testing.T) {
	k, dir, want := vecKey(t), t.TempDir(), pinned(t, 7)
	save(t, dir, k, want)
	s, token, err := OpenSession(dir, k)
	if err != nil || !same(s.Pin, want) || string(token.Reveal()) != vecJWT {
		t.Fatalf("opened %+v, %v", s.Pin, err)
	}
	if s, err := LoadSession(dir); err != nil || !same(s.Pin, want) {
		t.Errorf("loaded %+v, %v", s.Pin, err)
	}
	if got := string(bound(s)); got != "https://v.example|my-agent|"+want.Key.String()+"|"+vecPub+"|7" {
		t.Errorf("bound to %s", got)
	}
	text := readFile(t, SessionPath(dir))
	for name, row := range map[string]struct {
		old, new string
		want     error
	}{
		"another server":    {want.Key.String(), proof.TLSKey{9}.String(), ErrOpen},
		"another vault":     {vecPub, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", ErrOpen},
		"earlier":           {`"issued": 7`, `"issued": 6`, ErrOpen},
		"none":              {`"pin":`, `"nip":`, ErrOpen},
		"no server":         {want.Key.String(), "", ErrFormat},
		"no vault":          {vecPub, "", ErrFormat},
		"before everything": {`"issued": 7`, `"issued": -7`, ErrFormat},
		"a token in clear":  {`"sealed_access_token"`, `"access_token"`, ErrFormat},
	} {
		changed := strings.Replace(text, row.old, row.new, 1)
		if changed == text {
			t.Fatalf("%s: nothing changed in %s", name, text)
		}
		writeFile(t, SessionPath(dir), changed, 0o600)
		if _, _, err := OpenSession(dir, k); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Without a vault there is a pin all the same.
	alone := &pin.Pin{Key: want.Key}
	save(t, dir, k, alone)
	if s, _, err := OpenSession(dir, k); err != nil || !same(s.Pin, alone) {
		t.Errorf("%+v, %v", s.Pin, err)
	}
}

// A pin moves forward only, for the same vault, and takes nothing else along.
func TestMovePin(t *testing.T) {
	k, dir := vecKey(t), t.TempDir()
	save(t, dir, k, pinned(t, 7))
	stranger := pinned(t, 9)
	stranger.Vault = append([]byte{1}, stranger.Vault[1:]...)
	for _, row := range []struct {
		next *pin.Pin
		want int64
	}{{pinned(t, 8), 8}, {pinned(t, 7), 8}, {pinned(t, 8), 8}, {stranger, 8}, {pinned(t, 9), 9}} {
		if err := MovePin(dir, k, *row.next); err != nil {
			t.Fatal(err)
		}
		s, token, err := OpenSession(dir, k)
		if err != nil || !same(s.Pin, pinned(t, row.want)) || string(token.Reveal()) != vecJWT {
			t.Errorf("moved to %+v, %v", s.Pin, err)
		}
	}
	var wg sync.WaitGroup
	for i := range int64(8) {
		wg.Go(func() {
			if err := MovePin(dir, k, *pinned(t, 10+i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s, _, err := OpenSession(dir, k); err != nil || !same(s.Pin, pinned(t, 17)) {
		t.Errorf("of many the last: %+v, %v", s.Pin, err)
	}
	save(t, dir, k, nil)
	if err := MovePin(dir, k, *pinned(t, 20)); err != nil {
		t.Fatal(err)
	}
	if s, _, err := OpenSession(dir, k); err != nil || s.Pin != nil {
		t.Errorf("a session without a pin got one: %+v, %v", s.Pin, err)
	}
}
