package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// An Attester makes the X-Daemon-Attestation header of one request. path has
// no scheme, host or query and is not escaped; bodySHA256 is lower-case hex.
type Attester interface {
	Attest(method, path, bodySHA256, authTokenID string) (header string, err error)
	// AttestCaller makes the X-Cortex-Caller-Proof header of a request that has
	// such a header: value returns what the others say for whom it asks.
	AttestCaller(attestation string, value func(header string) string) (header string, err error)
}

// A Session is a daemon's attested session: what POST /daemon/attest named
// it, and the private half of the key that was attested. It is an [Attester].
type Session struct {
	ID     string
	Signer interface {
		Sign(message []byte) ([]byte, error)
	}
}

var _ Attester = Session{}

// Attest signs a request with a fresh id and the present time.
func (s Session) Attest(method, path, bodySHA256, authTokenID string) (string, error) {
	a := proof.Attestation{
		SessionID: s.ID, TS: time.Now().Unix(), JTI: uuid.NewString(),
		BodySHA256: bodySHA256, AuthTokenID: authTokenID,
	}
	sig, err := s.Signer.Sign(a.Message(method, path))
	if err != nil {
		return "", fmt.Errorf("signing the attestation: %w", err)
	}
	a.Signature = sig
	header := a.Header()
	if _, err := proof.ParseAttestation(header); err != nil {
		return "", fmt.Errorf("building the attestation: %w", err)
	}
	return header, nil
}

// AttestCaller signs for whom a request asks.
func (s Session) AttestCaller(attestation string, value func(header string) string) (string, error) {
	a, err := proof.ParseAttestation(attestation)
	if err != nil {
		return "", err
	}
	sig, err := s.Signer.Sign(proof.CallerMessage(a.JTI, proof.CallerDigest(value)))
	if err != nil {
		return "", fmt.Errorf("signing for whom it asks: %w", err)
	}
	return proof.EncodeSignature(sig), nil
}

// attestCaller adds who a request that is attested asks for, and that header, unless
// by is nil.
func attestCaller(by Attester, r *request, caller CallerContext) error {
	caller.addTo(r.header)
	if by == nil {
		return nil
	}
	header, err := by.AttestCaller(r.header.Get("X-Daemon-Attestation"), r.header.Get)
	if err != nil {
		return err
	}
	r.header.Set("X-Cortex-Caller-Proof", header)
	return nil
}

// attest adds the header to r, unless by is nil.
func attest(by Attester, r *request, authTokenID string) error {
	if by == nil {
		return nil
	}
	header, err := by.Attest(r.method, r.path.plain, proof.BodyHash(r.body), authTokenID)
	if err != nil {
		return err
	}
	r.header.Set("X-Daemon-Attestation", header)
	return nil
}

// Attest registers a daemon's fresh attestation key. accessToken is what
// [Client.DeviceToken] gave.
func (c *Client) Attest(ctx context.Context, accessToken opaque.Bytes, in api.AttestRequest) (api.AttestResponse, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return api.AttestResponse{}, fmt.Errorf("encoding the request: %w", err)
	}
	r := request{method: http.MethodPost, path: at("/daemon/attest"), header: bearer(accessToken), body: body}
	out, err := call[api.AttestResponse](ctx, c, r)
	if err == nil && out.SessionID == "" {
		err = errLacks("session_id")
	}
	return out, err
}

func bearer(token opaque.Bytes) http.Header {
	return http.Header{"Authorization": {"Bearer " + string(token.Reveal())}}
}
