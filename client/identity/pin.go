package identity

import (
	"crypto/ed25519"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/vault/proof"
)

// pinFile is the form of a pin in the session file.
type pinFile struct {
	ServerKey string `json:"server_key"` // fingerprint of the TLS key
	VaultKey  string `json:"vault_key,omitempty"`
	Issued    int64  `json:"issued,omitempty"` // Unix seconds
}

func newPinFile(p *pin.Pin) *pinFile {
	if p == nil {
		return nil
	}
	f := &pinFile{ServerKey: p.Key.String(), Issued: p.Issued}
	if p.Vault != nil {
		f.VaultKey = proof.EncodeKey(p.Vault)
	}
	return f
}

func (f *pinFile) pin() (*pin.Pin, error) {
	if f == nil {
		return nil, nil
	}
	key, err := proof.ParseTLSKey(f.ServerKey)
	if err != nil || f.Issued < 0 || (f.VaultKey == "") != (f.Issued == 0) {
		return nil, errSession
	}
	var vault ed25519.PublicKey
	if f.VaultKey != "" {
		if vault, err = proof.DecodeKeyURL(f.VaultKey); err != nil {
			return nil, errSession
		}
	}
	return &pin.Pin{Key: key, Vault: vault, Issued: f.Issued}, nil
}

// bound is the associated data of the sealed token. Neither a server's URL nor an
// agent id holds a pipe.
func bound(s Session) []byte {
	text := s.ServerURL + "|" + s.AgentID
	if s.Proved {
		text = "proved|" + text
	}
	if f := newPinFile(s.Pin); f != nil {
		text += "|" + f.ServerKey + "|" + f.VaultKey + "|" + strconv.FormatInt(f.Issued, 10)
	}
	return []byte(text)
}

// MovePin makes next the pin of the session in dir, unless that has another
// vault's by now, or one that is as late.
func MovePin(dir string, key Key, next pin.Pin) error {
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, token, err := OpenSession(dir, key)
	if err != nil {
		return err
	}
	defer token.Wipe()
	if s.Pin == nil || !next.Vault.Equal(s.Pin.Vault) || next.Issued <= s.Pin.Issued {
		return nil
	}
	s.Pin = &next
	return saveSession(dir, key, s, token)
}

// lockDir waits until no other process changes the session in dir. Who reads it
// need not: it is replaced as a whole.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, &os.PathError{Op: "lock", Path: dir, Err: err}
	}
	return func() { d.Close() }, nil
}
