package e2e_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
)

// Root, looking through all memory of a server and a daemon at work, finds the
// KEK and the agent's key in locked pages at most.
func TestKeysStayInLockedMemory(t *testing.T) {
	s := newStage(t)
	server := s.serve()
	s.admin("POST", "/admin/secrets", `{"key_path":"openai_api_key","secret_type":"KEY_VALUE","value":"sk-e2e-canary"}`)
	s.enrol("bot")
	daemon, _ := s.start("cortex-daemon", "X_CORTEX_SOCK")
	s.useSecret()

	scan(t, server.Process.Pid, "KEK", s.kek())
	scan(t, daemon.Process.Pid, "agent key", s.seed("bot"))
}

func scan(t *testing.T, pid int, name string, key []byte) {
	t.Helper()
	for _, hit := range lockedtest.Scan(t, pid, map[string][]byte{name: key, name + ", first half": key[:16], name + ", second half": key[16:]}) {
		if !hit.Mapping.Has("lo") {
			t.Errorf("outside of locked memory: %s", hit)
		}
	}
}

// seed returns the agent's private key.
func (s *stage) seed(agent string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "home", ".cortex", "agent-"+agent+".key"))
	if err != nil {
		s.t.Fatal(err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != 32 {
		s.t.Fatalf("key file: %d bytes, %v", len(seed), err)
	}
	return seed
}

// kek opens the key slot by hand, as docs/formats.md describes it.
func (s *stage) kek() []byte {
	s.t.Helper()
	file, err := os.ReadFile(filepath.Join(s.dir, "vault.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	slot := readSlot(s.t, file)
	key := argon2.IDKey([]byte(e2e.Password), slot.Salt, slot.Params.Time, slot.Params.Memory, slot.Params.Threads, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		s.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		s.t.Fatal(err)
	}
	u32 := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	aad := bytes.NewBufferString("cortex/1/slot")
	for _, field := range []string{
		slot.VaultID, "slot", slot.ID, string(binary.BigEndian.AppendUint64(nil, uint64(slot.KEKVersion))),
		slot.Kind, u32(slot.Params.Memory), u32(slot.Params.Time), u32(uint32(slot.Params.Threads)),
	} {
		aad.WriteString(u32(uint32(len(field))) + field)
	}
	kek, err := gcm.Open(nil, slot.Nonce, slot.Wrapped, aad.Bytes())
	if err != nil {
		s.t.Fatalf("opening the slot by hand: %v", err)
	}
	return kek
}

// readSlot reads the one slot from a copy of the vault's file.
func readSlot(t *testing.T, file []byte) keyring.Slot {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var row struct {
		Slot keyring.Slot `cbor:"1,keyasint"`
	}
	err = db.View(func(tx *bolt.Tx) error {
		_, value := tx.Bucket([]byte("slot")).Cursor().First()
		return cbor.Unmarshal(value, &row)
	})
	if err != nil {
		t.Fatal(err)
	}
	return row.Slot
}
