package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// The order of a list page by page is the order of the whole, with and without
// a namespace, also where one path begins another.
func TestSecretsPage(t *testing.T) {
	v := vaulttest.New(t)
	for i, path := range []string{"b", "a/b", "a.b", "a-", "a", "a/", "A", "a/b/c", "aa"} {
		for _, ns := range []string{"default", "d", "team"}[:1+i%3] {
			n := vault.NewSecret{Path: path, Type: vault.KeyValue, Value: opaque.New([]byte("v")), Namespace: ns}
			if _, err := v.CreateSecret(t.Context(), vaulttest.Admin, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, ns := range []string{"", "default", "d", "team", "none"} {
		whole, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{Namespace: ns})
		if err != nil {
			t.Fatal(err)
		}
		for limit := 1; limit <= len(whole)+1; limit++ {
			var all []vault.Secret
			p := vault.Page{Limit: limit}
			for {
				part, next, err := v.SecretsPage(t.Context(), vaulttest.Admin, vault.SecretFilter{Namespace: ns}, p)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, part...)
				if p.After = next; next == "" {
					break
				}
			}
			if fmt.Sprint(all) != fmt.Sprint(whole) {
				t.Errorf("%q by %d:\n%v\nwant\n%v", ns, limit, all, whole)
			}
		}
	}
}

// Whatever a client sends, a cursor opens only for the list it was made for.
func FuzzCursor(f *testing.F) {
	v := vaulttest.New(f)
	good, err := v.SealCursor("/admin/secrets?", "a\x00default")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "A", good, good[:20], good + "A", good + "=", "!!!!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		position, err := v.OpenCursor("/admin/secrets?", cursor)
		if err == nil {
			if again, err := v.SealCursor("/admin/secrets?", position); err != nil || again != cursor {
				t.Fatalf("%q opens to %q, which is %q: %v", cursor, position, again, err)
			}
			if _, err := v.OpenCursor("/admin/agents?", cursor); err == nil {
				t.Fatalf("%q opens for two lists", cursor)
			}
			return
		}
		if _, ok := errors.AsType[*vault.InvalidError](err); !ok {
			t.Fatal(err)
		}
	})
}

// A cursor says nothing of the position it was made for, and leads back to it.
func TestCursorHidesItsPosition(t *testing.T) {
	v := vaulttest.New(t)
	for _, position := range []string{"", "a", strings.Repeat("position", 100)} {
		cursor, err := v.SealCursor("/admin/secrets?", position)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.OpenCursor("/admin/secrets?", cursor); err != nil || got != position {
			t.Errorf("%q leads to %q, %v", position, got, err)
		}
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil || len(position) > 8 && bytes.Contains(raw, []byte("position")) {
			t.Errorf("%x, %v", raw, err)
		}
	}
}
