package identity

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A Session is what a login leaves behind, without its access token.
type Session struct {
	ServerURL string
	AgentID   string
	IssuedAt  time.Time
	// Proved tells that this host proved to have the agent's key, and needs
	// nothing else from now on: there is no access token, and no end that is known
	// here.
	Proved bool
	// ExpiresIn is how long the access token is good.
	ExpiresIn time.Duration
	// Pin is how the server is known again; nil if its certificate is to be
	// trusted as any other.
	Pin *pin.Pin
}

// LoginCommand returns what to type to log in as an agent at a server. What is empty
// is left to whoever types it.
func LoginCommand(agentID, url string) string {
	return fmt.Sprintf("cortex daemon login --agent-id %s --url %s", cmp.Or(agentID, "ID"), cmp.Or(url, "URL"))
}

// LoginCommand is what to type to log in anew.
func (s Session) LoginCommand() string { return LoginCommand(s.AgentID, s.ServerURL) }

// ExpiresAt returns when the access token ends, the zero time if there is none.
func (s Session) ExpiresAt() time.Time {
	if s.Proved {
		return time.Time{}
	}
	return s.IssuedAt.Add(s.ExpiresIn)
}

// Over reports whether the access token has ended, as far as anybody said when.
func (s Session) Over(now time.Time) bool {
	return s.ExpiresIn > 0 && !now.Before(s.ExpiresAt())
}

const (
	sessionName    = "daemon-session.json"
	maxSessionFile = 64 << 10
)

// SessionPath returns the session file in dir.
func SessionPath(dir string) string { return filepath.Join(dir, sessionName) }

// sessionFile is the file's form. Times are RFC 3339 and seconds.
type sessionFile struct {
	ServerURL         string    `json:"server_url"`
	AgentID           string    `json:"agent_id,omitempty"`
	ExpiresIn         int64     `json:"expires_in,omitempty"`
	IssuedAt          time.Time `json:"issued_at,omitzero"`
	Pin               *pinFile  `json:"pin,omitempty"`
	SealedAccessToken string    `json:"sealed_access_token,omitempty"` // nonce ‖ ciphertext, URL-safe base64
	Seal              string    `json:"seal,omitempty"`                // likewise, of nothing: of a login with a proof

	// AccessToken is in clear in files written by older programs. It is read
	// and never written.
	AccessToken api.Value `json:"access_token,omitzero"`

	pin *pin.Pin // what Pin says
}

// SaveSession writes the session file of a login, sealed under the agent's key
// with its access token, which is empty if the login was proved. A file that is
// there is replaced as a whole, but not by one that could not be read again.
func SaveSession(dir string, key Key, s Session, accessToken opaque.Bytes) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	return saveSession(dir, key, s, accessToken)
}

func saveSession(dir string, key Key, s Session, accessToken opaque.Bytes) error {
	if s.ExpiresIn < 0 || s.ExpiresIn > maxExpiresIn*time.Second {
		return fmt.Errorf("%w: expires_in", errSession)
	}
	sealed, err := seal(key, s, accessToken.Reveal())
	if err != nil {
		return fmt.Errorf("sealing the access token: %w", err)
	}
	f := sessionFile{
		ServerURL: s.ServerURL, AgentID: s.AgentID, ExpiresIn: int64(s.ExpiresIn / time.Second),
		IssuedAt: s.IssuedAt.UTC().Truncate(time.Second), Pin: newPinFile(s.Pin),
	}
	if text := base64.RawURLEncoding.EncodeToString(sealed); s.Proved {
		f.Seal = text
	} else {
		f.SealedAccessToken = text
	}
	content, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the session: %w", err)
	}
	return ReplaceFile(SessionPath(dir), append(content, '\n'))
}

// LoadSession reads the session file without opening the token. It needs no
// key. Without a login the error is [fs.ErrNotExist].
func LoadSession(dir string) (Session, error) {
	f, err := readSession(dir)
	if err != nil {
		return Session{}, err
	}
	f.AccessToken.Wipe()
	return f.session(), nil
}

// OpenSession reads the session file and opens it with the key of its agent.
// The access token is empty if the login was proved. A file of an older program is
// rewritten sealed.
func OpenSession(dir string, key Key) (Session, opaque.Bytes, error) {
	f, err := readSession(dir)
	if err != nil {
		return Session{}, opaque.Bytes{}, err
	}
	s := f.session()
	if s.AgentID != key.AgentID {
		return Session{}, opaque.Bytes{}, fmt.Errorf("the session is of agent %s, not of %s", s.AgentID, key.AgentID)
	}
	if !f.sealed() {
		token := opaque.New(f.AccessToken.Reveal())
		if err := SaveSession(dir, key, s, token); err != nil {
			return Session{}, opaque.Bytes{}, fmt.Errorf("sealing the session file of an older program: %w", err)
		}
		return s, token, nil
	}
	sealed, err := decodeSealed(f.SealedAccessToken + f.Seal)
	if err != nil {
		return Session{}, opaque.Bytes{}, err
	}
	token, err := open(key, s, sealed)
	if err != nil {
		return Session{}, opaque.Bytes{}, fmt.Errorf("%s: %w", SessionPath(dir), err)
	}
	return s, opaque.New(token), nil
}

// DeleteSession deletes the session file and reports whether there was one.
func DeleteSession(dir string) (bool, error) {
	err := os.Remove(SessionPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, syncDir(dir)
}

func readSession(dir string) (sessionFile, error) {
	path := SessionPath(dir)
	b, err := readPrivate(path, maxSessionFile)
	if err != nil {
		return sessionFile{}, err
	}
	defer clear(b)
	f, err := parseSession(b)
	if err != nil {
		return sessionFile{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

var errSession = fmt.Errorf("%w: not a session file", ErrFormat)

func parseSession(b []byte) (sessionFile, error) {
	var f sessionFile
	if err := json.Unmarshal(b, &f); err != nil {
		return sessionFile{}, errSession
	}
	if !f.sealed() {
		f.fromToken()
	}
	var err error
	f.pin, err = f.Pin.pin()
	if err != nil || f.pin != nil && !f.sealed() || f.ServerURL == "" || !proof.ValidAgentID(f.AgentID) || f.ExpiresIn < 0 || f.ExpiresIn > maxExpiresIn || !f.whole() {
		f.AccessToken.Wipe()
		return sessionFile{}, errSession
	}
	return f, nil
}

// sealed reports whether the agent's key has sealed the file.
func (f sessionFile) sealed() bool { return f.SealedAccessToken != "" || f.Seal != "" }

// whole reports whether the file has an access token, or a seal in its place.
func (f sessionFile) whole() bool {
	token := f.SealedAccessToken != "" || f.AccessToken.Len() > 0
	return token != (f.Seal != "")
}

// maxExpiresIn is ten years in seconds: more is a mistake, and would overflow.
const maxExpiresIn = 10 * 365 * 24 * 3600

// fromToken fills in what an older file lacks from the token's claims.
func (f *sessionFile) fromToken() {
	f.AgentID, f.IssuedAt, _ = Claims(opaque.New(f.AccessToken.Reveal()))
}

// Claims returns whom an access token is for and when it was issued, as it
// says itself: nothing is verified, the server does that when the token is
// used.
func Claims(accessToken opaque.Bytes) (agentID string, issuedAt time.Time, err error) {
	_, rest, _ := bytes.Cut(accessToken.Reveal(), []byte{'.'})
	payload, _, _ := bytes.Cut(rest, []byte{'.'})
	b, err := base64.RawURLEncoding.AppendDecode(nil, payload)
	if err != nil {
		return "", time.Time{}, errClaims
	}
	var claims struct {
		Sub string `json:"sub"`
		IAT int64  `json:"iat"`
	}
	if json.Unmarshal(b, &claims) != nil || !proof.ValidAgentID(claims.Sub) || claims.IAT < 0 || claims.IAT > maxUnix {
		return "", time.Time{}, errClaims
	}
	return claims.Sub, time.Unix(claims.IAT, 0).UTC(), nil
}

var errClaims = fmt.Errorf("%w: not an access token", ErrFormat)

// maxUnix is the end of the year 9999, the last that has a text form.
const maxUnix = 253402300799

func (f sessionFile) session() Session {
	return Session{
		ServerURL: f.ServerURL, AgentID: f.AgentID, Proved: f.Seal != "",
		IssuedAt: f.IssuedAt, ExpiresIn: time.Duration(f.ExpiresIn) * time.Second, Pin: f.pin,
	}
}

func decodeSealed(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, errSession
	}
	return b, nil
}
