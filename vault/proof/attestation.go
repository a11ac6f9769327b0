package proof

import (
	"errors"
	"strconv"
	"strings"
)

// MaxAttestation is the longest attestation header accepted, in bytes.
const MaxAttestation = 1024

// ErrAttestation is returned for a header that is not in the one accepted
// form. It does not say which part was wrong: the sender may be an attacker.
var ErrAttestation = errors.New("malformed attestation header")

// An Attestation is the X-Daemon-Attestation header: a daemon's signature
// over one request.
//
//	session_id . ts . jti . body_sha256 . auth_token_id . signature
//
// The signature covers [Attestation.Message], which does not contain the
// session id; the session decides the key, and so binds it.
type Attestation struct {
	SessionID   string // as the server gave it: [A-Za-z0-9_-]{1,128}
	TS          int64  // Unix seconds, not negative
	JTI         string // unique per request: [A-Za-z0-9_-]{1,128}
	BodySHA256  string // lower-case hex
	AuthTokenID string // see AuthTokenID and AgentTokenID
	Signature   []byte // 64 bytes
}

// ParseAttestation reads a header. What parses is returned unchanged by
// [Attestation.Header].
func ParseAttestation(header string) (Attestation, error) {
	if len(header) > MaxAttestation {
		return Attestation{}, ErrAttestation
	}
	seg := strings.Split(header, ".")
	if len(seg) != 6 {
		return Attestation{}, ErrAttestation
	}
	ts, err := parseTS(seg[1])
	if err != nil {
		return Attestation{}, err
	}
	sig, err := DecodeSignatureURL(seg[5])
	if err != nil {
		return Attestation{}, ErrAttestation
	}
	a := Attestation{SessionID: seg[0], TS: ts, JTI: seg[2], BodySHA256: seg[3], AuthTokenID: seg[4], Signature: sig}
	if !a.wellFormed() {
		return Attestation{}, ErrAttestation
	}
	return a, nil
}

// wellFormed checks the text members. None may hold a dot, which separates
// segments, or a pipe, which separates the parts of the signed message.
func (a Attestation) wellFormed() bool {
	return inSet(a.SessionID, 1, 128, isWord) &&
		inSet(a.JTI, 1, 128, isWord) &&
		inSet(a.BodySHA256, 64, 64, isLowerHex) &&
		inSet(a.AuthTokenID, 1, 256, func(c byte) bool { return c > ' ' && c < 0x7f && c != '.' && c != '|' })
}

func parseTS(s string) (int64, error) {
	ts, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ts < 0 || strconv.FormatInt(ts, 10) != s {
		return 0, ErrAttestation
	}
	return ts, nil
}

// Header returns the six segments joined with dots.
func (a Attestation) Header() string {
	return strings.Join([]string{
		a.SessionID, strconv.FormatInt(a.TS, 10), a.JTI, a.BodySHA256, a.AuthTokenID, EncodeSignature(a.Signature),
	}, ".")
}

// Message returns the bytes the daemon signs. The method is upper case; the
// path is percent-decoded and has no scheme, host or query.
//
//	ts|jti|METHOD|path|body_sha256|auth_token_id
func (a Attestation) Message(method, path string) []byte {
	return []byte(strings.Join([]string{
		strconv.FormatInt(a.TS, 10), a.JTI, method, path, a.BodySHA256, a.AuthTokenID,
	}, "|"))
}
