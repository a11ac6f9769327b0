package redteam

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"
	"golang.org/x/crypto/argon2"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked/lockedtest"
)

var rootMoves = moves{
	"kek-memory":       kekMemory,
	"password-environ": passwordEnviron,
	"values-memory":    valuesMemory,
	"crash":            crash,
}

// found returns where a text is in the memory of the server.
func (s *site) found(t *testing.T, text []byte) []lockedtest.Hit {
	t.Helper()
	return lockedtest.Scan(t, s.program.Cmd.Process.Pid, map[string][]byte{"it": text})
}

// kekMemory looks for the KEK, which it knows by the password, in all memory of a
// server that uses it.
func kekMemory(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	s.stop(t)
	kek := s.kek(t)
	s.serve(t)
	_, id, _ := s.secret(t)
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, nil)
	if len(s.found(t, []byte(s.file()))) == 0 {
		t.Fatal("not even the name of its file is found in its memory")
	}
	secret := false
	for _, m := range lockedtest.Mappings(t, s.program.Cmd.Process.Pid) {
		secret = secret || m.Secret()
	}
	for _, part := range [][]byte{kek, kek[:16], kek[16:]} {
		for _, hit := range s.found(t, part) {
			if secret || !hit.Mapping.Has("lo") {
				t.Log(hit)
				return open
			}
		}
	}
	return limited
}

// kek opens the one slot of a vault that nobody serves, by hand.
func (s *site) kek(t *testing.T) []byte {
	t.Helper()
	var row struct {
		Slot keyring.Slot `cbor:"1,keyasint"`
	}
	s.edit(t, func(tx *bolt.Tx) error {
		_, value := tx.Bucket([]byte("slot")).Cursor().First()
		return cbor.Unmarshal(value, &row)
	})
	slot := row.Slot
	u32 := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	aad := bytes.NewBufferString("cortex/1/slot")
	for _, field := range []string{
		slot.VaultID, "slot", slot.ID, string(binary.BigEndian.AppendUint64(nil, uint64(slot.KEKVersion))),
		slot.Kind, u32(slot.Params.Memory), u32(slot.Params.Time), u32(uint32(slot.Params.Threads)),
	} {
		aad.WriteString(u32(uint32(len(field))) + field)
	}
	block, err := aes.NewCipher(argon2.IDKey([]byte(s.password), slot.Salt, slot.Params.Time, slot.Params.Memory, slot.Params.Threads, 32))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	kek, err := gcm.Open(nil, slot.Nonce, slot.Wrapped, aad.Bytes())
	if err != nil {
		t.Fatalf("opening the slot by hand: %v", err)
	}
	return kek
}

func passwordEnviron(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	environ := func() []byte { return read(t, fmt.Sprintf("/proc/%d/environ", s.program.Cmd.Process.Pid)) }
	seen := holds(environ(), s.password) && holds(environ(), s.AdminToken)
	s.stop(t)
	password, token := filepath.Join(s.dir, "password"), filepath.Join(s.dir, "token")
	write(t, password, s.password)
	write(t, token, s.AdminToken)
	s.env = without(s.env, "CORTEX_KEK_PASSWORD", "ADMIN_TOKEN")
	s.serve(t, "CORTEX_KEK_PASSWORD_FILE="+password, "ADMIN_TOKEN_FILE="+token)
	if holds(environ(), s.password) || holds(environ(), s.AdminToken) || !holds(environ(), s.dir) {
		t.Fatal("out of a file they are seen as well")
	}
	return unless(seen, stopped)
}

// valuesMemory stops a value on its way in.
func valuesMemory(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	value := canary()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if len(s.found(t, []byte(value))) > 0 {
		t.Fatal("it is there before anybody has sent it")
	}
	fmt.Fprintf(conn, "POST /admin/secrets HTTP/1.1\r\nHost: x\r\nX-Admin-Token: %s\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"+
		`{"key_path":"key","secret_type":"KEY_VALUE","value":"%s`, s.AdminToken, value)
	for end := time.Now().Add(patience / 4); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if len(s.found(t, []byte(value))) > 0 {
			return open
		}
	}
	return stopped
}

// crash kills a server in the midst of writes, and looks for what it has said is
// kept.
func crash(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	for range 2 {
		var mu sync.Mutex
		kept := map[string]string{}
		enough := make(chan struct{})
		var writing sync.WaitGroup
		for range 8 {
			writing.Go(func() {
				for {
					path, value := named("crash"), canary()
					id, err := s.keep(path, value)
					if err != nil {
						return // it is gone
					}
					mu.Lock()
					if kept[id] = value; len(kept) == 100 {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if err := s.program.Cmd.Process.Signal(unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		writing.Wait()
		<-s.program.Ended
		s.serve(t)
		for id, value := range kept {
			var secret struct{ Value string }
			a := s.TryAdmin(t, http.MethodGet, "/admin/secrets/"+id, nil)
			if a.JSON(t, &secret); secret.Value != value {
				t.Logf("%s: %d %s", id, a.Status, a.Body)
				return open
			}
		}
	}
	s.stop(t)
	if intact, out := s.verify(t); !intact {
		t.Log(out)
		return open
	}
	return stopped
}

// keep keeps a secret at a server that may be gone.
func (s *site) keep(path, value string) (id string, err error) {
	req, err := http.NewRequest(http.MethodPost, s.URL+"/admin/secrets", bytes.NewReader(marshal(object{"key_path": path, "secret_type": "KEY_VALUE", "value": value})))
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Admin-Token", s.AdminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	body, err := whole(resp)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s %s", resp.Status, body)
	}
	var made struct{ ID string }
	if err == nil {
		err = json.Unmarshal(body, &made)
	}
	return made.ID, err
}
