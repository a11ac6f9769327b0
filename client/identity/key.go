// Package identity keeps who an agent is on its host: the private key files
// and the login session. The key is the one credential that lies there in
// clear, mode 0600; what else is kept is sealed under it. Files that others
// could read or replace are refused, and so are symbolic links.
package identity

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/proof"
)

// What reading and making identities can fail with.
var (
	// ErrExists: there is a key file already. It is never overwritten.
	ErrExists = errors.New("a key file exists already and is not overwritten")
	// ErrAgentID: the id cannot name an agent.
	ErrAgentID = errors.New("bad agent id: use 1 to 128 of A-Z a-z 0-9 _ @ : -")
	// ErrUnsafe: others may read the file, or it is not a plain file of ours.
	ErrUnsafe = errors.New("unsafe file")
	// ErrFormat: the file does not hold what it should.
	ErrFormat = errors.New("bad file format")
)

// A Key is an agent's private key, in locked memory.
type Key struct {
	AgentID string
	*locked.Signer
}

const seedSize = 32

// Dir returns the directory of all state: CORTEX_HOME, else .cortex in the
// home directory. It is never below the working directory by accident: without
// HOME, the home directory is what the system has for the user, else the root.
func Dir() string {
	if dir := os.Getenv("CORTEX_HOME"); dir != "" {
		return dir
	}
	home := os.Getenv("HOME")
	if home == "" {
		if u, err := user.Current(); err == nil {
			home = u.HomeDir
		}
	}
	return filepath.Join(cmp.Or(home, "/"), ".cortex")
}

// Path returns the key file of an agent. The id must be valid; see
// [proof.ValidAgentID].
func Path(dir, agentID string) string { return filepath.Join(dir, "agent-"+agentID+".key") }

// Generate makes a key and writes it to a new file of mode 0600, making
// missing parent directories with mode 0700. It fails with [ErrExists] when
// there is anything at path already, and is durable when it returns.
func Generate(path, agentID string) (Key, error) {
	if !proof.ValidAgentID(agentID) {
		return Key{}, ErrAgentID
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Key{}, fmt.Errorf("making the key's directory: %w", err)
	}
	signer, err := locked.GenerateSigner()
	if err != nil {
		return Key{}, fmt.Errorf("making a key: %w", err)
	}
	if err := writeSeed(path, signer.Seed()); err != nil {
		signer.Destroy()
		return Key{}, err
	}
	return Key{agentID, signer}, nil
}

func writeSeed(path string, seed *locked.Buffer) error {
	text, err := locked.NewBuffer(base64.RawURLEncoding.EncodedLen(seedSize))
	if err != nil {
		return fmt.Errorf("writing the key: %w", err)
	}
	defer text.Destroy()
	base64.RawURLEncoding.Encode(text.Bytes(), seed.Bytes())
	err = createFile(path, text.Bytes())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	return err
}

// Load reads an agent's key from a file: 43 characters of URL-safe base64 and
// nothing but white space around. The file must be a plain one of this user
// that nobody else can read, else [ErrUnsafe]; the bytes go straight into
// locked memory.
func Load(path, agentID string) (Key, error) {
	if !proof.ValidAgentID(agentID) {
		return Key{}, ErrAgentID
	}
	f, err := openPrivate(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	text, n, err := locked.ReadFile(f, maxKeyFile)
	if errors.Is(err, locked.ErrTooLarge) {
		return Key{}, fmt.Errorf("%s: %w", path, errSeed)
	}
	if err != nil {
		return Key{}, fmt.Errorf("reading %s: %w", path, err)
	}
	defer text.Destroy()
	signer, err := parseSeed(text.Bytes()[:n])
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return Key{agentID, signer}, nil
}

// maxKeyFile leaves room for white space around the 43 characters.
const maxKeyFile = 128

func parseSeed(text []byte) (*locked.Signer, error) {
	text = bytes.TrimSpace(text)
	// The length comes first: package base64 skips line breaks.
	if len(text) != base64.RawURLEncoding.EncodedLen(seedSize) || bytes.ContainsAny(text, "\r\n") {
		return nil, errSeed
	}
	seed, err := locked.NewBuffer(seedSize)
	if err != nil {
		return nil, err
	}
	if _, err := base64.RawURLEncoding.Strict().Decode(seed.Bytes(), text); err != nil {
		seed.Destroy()
		return nil, errSeed
	}
	return locked.NewSigner(seed)
}

var errSeed = fmt.Errorf("%w: not the private key that gen-key writes", ErrFormat)
