package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// verificationURI is where a person approves a device. It is relative, because
// clients append it to the URL they know the server by.
const verificationURI = "/device"

func (s *Server) authorizeDevice(ctx context.Context, c call[api.DeviceAuthorizeRequest]) (disclosure, error) {
	if err := s.limits.authorize.Take(c.client.Source); err != nil {
		return disclosure{}, err
	}
	if err := s.limits.logins.Take(struct{}{}); err != nil {
		return disclosure{}, err
	}
	init, err := s.deviceInit(c)
	if err != nil {
		return disclosure{}, err
	}
	d, err := s.vault.AuthorizeDevice(ctx, c.client.Origin, init)
	code := api.NewValue(d.DeviceCode.Reveal())
	out := api.DeviceAuthorization{
		DeviceCode: code, UserCode: d.UserCode, VerificationURI: verificationURI,
		VerificationURIComplete: auth.ServerOrigin(c.Request, s.live.Load().proxies) + verificationURI + "?user_code=" + d.UserCode,
		ExpiresIn:               int64(d.ExpiresIn.Seconds()), Interval: int64(d.Interval.Seconds()),
	}
	if init != nil { // RFC 8628 asks for a whole one
		out.Proved = true
		out.VerificationURI = init.Origin + verificationURI
		out.VerificationURIComplete = out.VerificationURI + "?user_code=" + d.UserCode
	}
	return disclose(out, code), s.guard.Failed(c.client, err)
}

// deviceInit returns what a host proves, nil in the bare form. It must have meant
// this server: a proof that was made for another one is somebody's trick.
func (s *Server) deviceInit(c call[api.DeviceAuthorizeRequest]) (*vault.DeviceInit, error) {
	in := c.In
	if in.AgentID == nil && in.AgentPub == nil && in.Nonce == nil && in.TS == nil && in.Proof == nil {
		return nil, nil
	}
	if in.AgentID == nil || in.AgentPub == nil || in.Nonce == nil || in.TS == nil || in.Proof == nil {
		return nil, &vault.InvalidError{Field: "init_proof", Reason: "comes with agent_id, agent_pub, init_nonce and init_ts, or not at all"}
	}
	if here := auth.ServerOrigin(c.Request, s.live.Load().proxies); here == "" || in.Origin != here {
		return nil, &vault.InvalidError{Field: "origin", Reason: "is not how this server was reached: it must be the scheme, host and port of its URL (behind a proxy, the server has to trust that: CORTEX_TRUSTED_PROXIES)"}
	}
	return &vault.DeviceInit{
		DeviceInit: proof.DeviceInit{
			Nonce: *in.Nonce, TS: *in.TS, AgentID: *in.AgentID, AgentPub: *in.AgentPub, Namespace: in.Namespace, Hostname: in.Hostname, Origin: in.Origin,
		},
		OS: in.OS, CLIVersion: in.CLI, Proof: *in.Proof,
	}, nil
}

// deviceToken answers a device that polls, or an agent that asserts who it is.
// Only one that polls far too fast is told to slow down: clients take any answer
// but "pending" for the end.
func (s *Server) deviceToken(ctx context.Context, c call[api.DeviceTokenRequest]) (disclosure, error) {
	defer c.In.DeviceCode.Wipe()
	defer c.In.Assertion.Wipe()
	switch {
	case c.In.GrantType == api.GrantTypeAssertion:
		return s.assertedToken(ctx, c)
	case c.In.DeviceCode.IsZero():
		return disclosure{}, &vault.InvalidError{Field: "device_code", Reason: "is missing"}
	case (c.In.PollProof == nil) != (c.In.PollTS == nil):
		return disclosure{}, &vault.InvalidError{Field: "poll_proof", Reason: "comes with poll_ts, or not at all"}
	}
	var p *vault.PollProof
	if c.In.PollProof != nil {
		p = &vault.PollProof{TS: *c.In.PollTS, Proof: *c.In.PollProof}
	}
	t, err := s.pollDevice(ctx, c, p)
	if err != nil && p != nil {
		err = standard(err)
	}
	return wireDeviceToken(t), err
}

func (s *Server) pollDevice(ctx context.Context, c call[api.DeviceTokenRequest], p *vault.PollProof) (vault.DeviceToken, error) {
	if err := s.limits.poll.Take(sha256.Sum256(c.In.DeviceCode.Reveal())); err != nil {
		return vault.DeviceToken{}, err
	}
	t, err := s.vault.PollDevice(ctx, c.client.Origin, string(c.In.DeviceCode.Reveal()), p)
	return t, s.guard.Failed(c.client, err)
}

// assertedToken gives an agent that asserts who it is an access token.
func (s *Server) assertedToken(ctx context.Context, c call[api.DeviceTokenRequest]) (disclosure, error) {
	assertion := opaque.New(c.In.Assertion.Reveal())
	t, err := s.vault.IssueAccessToken(ctx, c.client.Origin, assertion)
	if err = s.guard.Failed(c.client, err); err != nil {
		err = standard(err)
	}
	return wireDeviceToken(t), err
}

// standard gives an error the form that OAuth clients know (RFC 6749, section
// 5.2, and RFC 8628, section 3.5): status 400, and the code as its text.
func standard(err error) error {
	code := api.Code("")
	switch over, limited := errors.AsType[*limit.Exceeded](err); {
	case errors.Is(err, vault.ErrAuthorizationPending):
		code = api.AuthorizationPending
	case errors.Is(err, vault.ErrDeviceDenied):
		code = api.AccessDenied
	case errors.Is(err, vault.ErrDeviceExpired):
		code = api.ExpiredToken
	case errors.Is(err, vault.ErrUnauthorized), errors.Is(err, vault.ErrReplay), errors.Is(err, vault.ErrClockSkew):
		code = api.InvalidGrant
	case limited:
		return &api.Error{Status: http.StatusBadRequest, Code: api.SlowDown, Message: string(api.SlowDown), RetryAfter: over.After}
	default:
		return err
	}
	return &api.Error{Status: http.StatusBadRequest, Code: code, Message: string(code)}
}

func wireDeviceToken(t vault.DeviceToken) disclosure {
	token := api.NewValue(t.AccessToken.Reveal())
	return disclose(api.DeviceToken{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()), KID: t.KID,
	}, token)
}

func (s *Server) listDevices(ctx context.Context, q *request) ([]api.Device, error) {
	return pagedBy(s, q, maxDevices,
		func() ([]vault.Device, error) { return s.vault.Devices(ctx, q.By) },
		func(p vault.Page) ([]vault.Device, string, error) { return s.vault.DevicesPage(ctx, q.By, p) },
		wireDevice)
}

// lookUpDevice shows what waits with a user code. Whoever tries codes is soon
// shut out, from where they are and as who they are.
func (s *Server) lookUpDevice(ctx context.Context, c call[api.UserCode]) (api.PendingDevice, error) {
	var d vault.PendingDevice
	err := s.withCode(c.request, func() (err error) {
		d, err = s.vault.LookUpDevice(ctx, c.By, c.In.UserCode)
		return err
	})
	out := api.PendingDevice{
		UserCode: d.UserCode, Proved: d.Proved, AgentID: d.AgentID, Namespace: d.Namespace, Hostname: d.Hostname, OS: d.OS, CLI: d.CLIVersion,
		Origin: d.Origin, SourceIP: d.Source, CreatedAt: api.NewTime(d.Created), ExpiresAt: api.NewTime(d.Expires), NewAgent: d.NewAgent, KeyChange: d.KeyChange,
	}
	if d.Key != nil {
		out.Fingerprint = new(proof.Fingerprint(d.Key))
	}
	return out, err
}

// withCode runs what takes a user code, and counts codes that nobody has.
func (s *Server) withCode(q *request, fn func() error) error {
	who := q.By.Name
	if err := cmp.Or(s.limits.codes.Check(q.client.Source), s.limits.codesBy.Check(who)); err != nil {
		return err
	}
	err := fn()
	if !errors.Is(err, vault.ErrNotFound) {
		return err
	}
	over := s.limits.codes.Take(q.client.Source)
	return cmp.Or(over, s.limits.codesBy.Take(who), err)
}

func (s *Server) approveDevice(ctx context.Context, c call[api.ApproveDevice]) (api.ApprovedDevice, error) {
	namespace, err := c.namespace()
	if err != nil {
		return api.ApprovedDevice{}, err
	}
	if namespace != "" && c.In.Namespace != "" && namespace != c.In.Namespace {
		return api.ApprovedDevice{}, &vault.InvalidError{Field: "namespace", Reason: "is said twice, differently"}
	}
	var d vault.Device
	err = s.withCode(c.request, func() (err error) {
		d, err = s.vault.ApproveDevice(ctx, c.By, vault.DeviceApproval{
			UserCode: c.In.UserCode, AgentID: c.In.AgentID, Namespace: cmp.Or(namespace, c.In.Namespace), KeyChange: c.In.KeyChange,
		})
		return err
	})
	out := api.ApprovedDevice{Approved: true, UserCode: d.UserCode}
	if d.AgentID != nil {
		out.AgentID = *d.AgentID
	}
	return out, err
}

func (s *Server) denyDevice(ctx context.Context, c call[api.UserCode]) (api.DeniedDevice, error) {
	err := s.withCode(c.request, func() error { return s.vault.DenyDevice(ctx, c.By, c.In.UserCode) })
	return api.DeniedDevice{Denied: true, UserCode: c.In.UserCode}, err
}

func (s *Server) deleteDevices(ctx context.Context, q *request) (api.DeletedDevices, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.DeletedDevices{}, err
	}
	rows, err := s.vault.DeleteDevices(ctx, q.By, namespace, q.PathValue("agent_id"))
	return api.DeletedDevices{Deleted: true, Rows: rows}, err
}

func (s *Server) logOutDevice(ctx context.Context, q *request) (api.DeletedDevices, error) {
	rows, err := s.vault.LogOutDevice(ctx, q.By)
	return api.DeletedDevices{Deleted: true, Rows: rows}, s.guard.Failed(q.client, err)
}

func wireDevice(d vault.Device) api.Device {
	return api.Device{
		ID: d.ID, UserCode: d.UserCode, Status: d.Status, AgentID: d.AgentID,
		CreatedAt: api.NewTime(d.Created), ApprovedAt: wireTime(d.Approved), SourceIP: d.Source,
		Proved: d.Proved, Hostname: d.Hostname, LastUsedAt: wireTime(d.LastUsed),
	}
}
