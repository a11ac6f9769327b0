package vault

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// The kinds of values the vault can make.
const (
	// GeneratePassword is letters, digits and such punctuation as no shell, URL
	// or configuration file takes for its own. Length counts characters.
	GeneratePassword = "password"
	// GenerateHex and GenerateBase64 are random bytes, as text. Length counts
	// the bytes.
	GenerateHex    = "hex"
	GenerateBase64 = "base64"
	// GenerateUUID is a random UUID.
	GenerateUUID = "uuid"
	// GenerateSSH is an Ed25519 key, as OpenSSH writes it to a file.
	GenerateSSH = "ed25519-ssh"
)

// The lengths of generated values.
const (
	defaultGenerated = 32
	minGenerated     = 8
	maxGenerated     = 1024
)

// passwordAlphabet has 70 characters: 32 of them are 196 bits.
const passwordAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+=@%~"

// A Generator makes a value that nobody is shown. A nil Generator makes none.
type Generator struct {
	// Type is one of the Generate constants.
	Type string
	// Length is of what the type says. If zero, 32; for types without a length
	// it must be zero.
	Length int
}

// A generated is a value, and whether it is a key. The zero generated is none.
type generated struct {
	value opaque.Bytes
	key   bool
}

// publicFor returns the public key that a secret keeps beside a value, which is g
// unless g is none; empty for what is no key. A secret that cannot have the value is
// an error.
func (g generated) publicFor(s secretRow, value opaque.Bytes) (string, error) {
	made := !g.value.IsZero()
	switch {
	case made && s.Type != KeyValue && s.Type != SSHKey:
		return "", invalid("generate", "makes the value of a KEY_VALUE or SSH_KEY only")
	case s.Type != SSHKey && !g.key:
		return "", nil
	}
	return authorizedKey(value, s.Path)
}

func (g *Generator) validate() error {
	switch g.Type {
	case GeneratePassword, GenerateHex, GenerateBase64:
		if g.Length != 0 && (g.Length < minGenerated || g.Length > maxGenerated) {
			return invalid("generate.length", "must be %d to %d", minGenerated, maxGenerated)
		}
	case GenerateUUID, GenerateSSH:
		if g.Length != 0 {
			return invalid("generate.length", "means nothing for this type")
		}
	default:
		return invalid("generate.type", "must be password, hex, base64, uuid or ed25519-ssh")
	}
	return nil
}

// make makes a value, which the caller wipes.
func (g *Generator) make() (generated, error) {
	if g == nil {
		return generated{}, nil
	}
	if err := g.validate(); err != nil {
		return generated{}, err
	}
	n := g.Length
	if n == 0 {
		n = defaultGenerated
	}
	switch g.Type {
	case GeneratePassword:
		return generated{value: opaque.New(password(n))}, nil
	case GenerateUUID:
		id := uuid.New()
		text, err := id.MarshalText()
		clear(id[:])
		if err != nil {
			return generated{}, fmt.Errorf("writing UUID: %w", err)
		}
		return generated{value: opaque.New(text)}, nil
	case GenerateSSH:
		return sshKey()
	}
	raw := make([]byte, n)
	defer clear(raw)
	rand.Read(raw)
	if g.Type == GenerateHex {
		return generated{value: opaque.New(hex.AppendEncode(nil, raw))}, nil
	}
	return generated{value: opaque.New(base64.StdEncoding.AppendEncode(nil, raw))}, nil
}

// record says in the record that a value was made here.
func (g *Generator) record(o *op) {
	if g != nil {
		o.record.about("value", "generated: "+g.Type)
	}
}

// password returns n characters, each as likely as the others: bytes beyond the
// last whole multiple of the alphabet are thrown away, not folded into it.
func password(n int) []byte {
	const limit = 256 - 256%len(passwordAlphabet)
	out := make([]byte, 0, n)
	var raw [64]byte
	defer clear(raw[:])
	for len(out) < n {
		rand.Read(raw[:])
		for _, b := range raw {
			if int(b) < limit && len(out) < n {
				out = append(out, passwordAlphabet[int(b)%len(passwordAlphabet)])
			}
		}
	}
	return out
}

// sshKey returns a new key pair. What package ssh marshals on the way stays on
// the heap until it is used again; what it returns is wiped.
func sshKey() (generated, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return generated{}, fmt.Errorf("generating key: %w", err)
	}
	defer clear(private)
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return generated{}, fmt.Errorf("encoding key: %w", err)
	}
	defer clear(block.Bytes)
	return generated{value: opaque.New(pem.EncodeToMemory(block)), key: true}, nil
}
