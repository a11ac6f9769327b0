package vault

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/sshauth"
)

// An sshSigner is the private key in the value of an SSH_KEY, opened for a moment.
// Ed25519 keys lie in locked memory; what package ssh makes of others stays on the
// heap until it is used again.
type sshSigner struct {
	ed25519 *locked.Signer      // nil for another key
	other   ssh.AlgorithmSigner // nil for an Ed25519 key
}

// minRSA is the least size of an RSA key, in bits.
const minRSA = 2048

// openSSHKey reads a private key as ssh-keygen writes it. Destroy it. Errors complete
// the sentence "value …".
func openSSHKey(value opaque.Bytes) (sshSigner, error) {
	raw, err := ssh.ParseRawPrivateKey(value.Reveal())
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return sshSigner{}, errors.New("must be a private key without a passphrase")
	}
	if err != nil {
		return sshSigner{}, errors.New("must be a private key, as ssh-keygen writes it to a file")
	}
	switch key := raw.(type) {
	case *ed25519.PrivateKey:
		return lockSSHKey(*key)
	case ed25519.PrivateKey:
		return lockSSHKey(key)
	case *rsa.PrivateKey:
		if key.N.BitLen() < minRSA {
			return sshSigner{}, fmt.Errorf("must be an RSA key of %d bits or more", minRSA)
		}
		return otherSSHKey(key)
	case *ecdsa.PrivateKey:
		return otherSSHKey(key)
	}
	return sshSigner{}, errors.New("must be an Ed25519, ECDSA or RSA key")
}

// lockSSHKey moves a key into locked memory.
func lockSSHKey(key ed25519.PrivateKey) (sshSigner, error) {
	defer clear(key)
	seed, err := locked.Copy(key[:ed25519.SeedSize])
	if err != nil {
		return sshSigner{}, err
	}
	s, err := locked.NewSigner(seed)
	return sshSigner{ed25519: s}, err
}

func otherSSHKey(key any) (sshSigner, error) {
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return sshSigner{}, errors.New("must be an Ed25519, ECDSA or RSA key")
	}
	return sshSigner{other: s.(ssh.AlgorithmSigner)}, nil
}

func (s sshSigner) destroy() {
	if s.ed25519 != nil {
		s.ed25519.Destroy()
	}
}

// public returns the public half.
func (s sshSigner) public() (ssh.PublicKey, error) {
	if s.ed25519 != nil {
		return ssh.NewPublicKey(s.ed25519.Public())
	}
	return s.other.PublicKey(), nil
}

// sign returns the signature of data as it goes over the wire.
func (s sshSigner) sign(data []byte, algorithm string) (_ []byte, err error) {
	var sig *ssh.Signature
	if s.ed25519 != nil {
		sig = &ssh.Signature{Format: ssh.KeyAlgoED25519}
		sig.Blob, err = s.ed25519.Sign(data)
	} else {
		sig, err = s.other.SignWithAlgorithm(rand.Reader, data, algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return ssh.Marshal(sig), nil
}

// checkSSHKey refuses what is no private key.
func checkSSHKey(value opaque.Bytes) error {
	s, err := openSSHKey(value)
	if err != nil {
		return invalid("value", "%v", err)
	}
	s.destroy()
	return nil
}

// authorizedKey returns the public half of a value in the form of authorized_keys,
// with the secret's path as its comment.
func authorizedKey(value opaque.Bytes, path string) (string, error) {
	s, err := openSSHKey(value)
	if err != nil {
		return "", invalid("value", "%v", err)
	}
	defer s.destroy()
	key, err := s.public()
	if err != nil {
		return "", fmt.Errorf("encoding public key: %w", err)
	}
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " " + path, nil
}

// maxKnownHosts is how many hosts a key can be for.
const maxKnownHosts = 64

// checkKnownHosts refuses lines that name no host key, and hosts of what is no key.
func checkKnownHosts(t SecretType, lines []string) error {
	switch {
	case len(lines) > 0 && t != SSHKey:
		return invalid("known_hosts", "are of an SSH_KEY only")
	case len(lines) > maxKnownHosts:
		return invalid("known_hosts", "must not be more than %d", maxKnownHosts)
	}
	for n, line := range lines {
		if _, err := sshauth.ParseHost(line); err != nil {
			return invalid(fmt.Sprintf("known_hosts[%d]", n), "%v", err)
		}
	}
	return nil
}

// hosts returns the fingerprints of the host keys that a key is for, each once.
func (r secretRow) hosts() []string {
	hosts := make([]string, 0, len(r.KnownHosts))
	for _, line := range r.KnownHosts {
		if host, err := sshauth.ParseHost(line); err == nil {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}
