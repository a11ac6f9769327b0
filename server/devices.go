package server

import (
	"context"
	"crypto/sha256"
	"errors"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
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
	d, err := s.vault.AuthorizeDevice(ctx, c.client.Origin)
	code := api.NewValue(d.DeviceCode.Reveal())
	return disclose(api.DeviceAuthorization{
		DeviceCode: code, UserCode: d.UserCode, VerificationURI: verificationURI,
		ExpiresIn: int64(d.ExpiresIn.Seconds()), Interval: int64(d.Interval.Seconds()),
	}, code), err
}

// deviceToken answers a device that polls. Only one that polls far too fast is
// told to slow down: clients take any answer but "pending" for the end.
func (s *Server) deviceToken(ctx context.Context, c call[api.DeviceTokenRequest]) (disclosure, error) {
	defer c.In.DeviceCode.Wipe()
	if err := s.limits.poll.Take(sha256.Sum256(c.In.DeviceCode.Reveal())); err != nil {
		return disclosure{}, err
	}
	t, err := s.vault.PollDevice(ctx, c.client.Origin, string(c.In.DeviceCode.Reveal()))
	if errors.Is(err, vault.ErrAuthorizationPending) {
		return disclosure{}, err
	}
	token := api.NewValue(t.AccessToken.Reveal())
	return disclose(api.DeviceToken{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int64(t.ExpiresIn.Seconds()), KID: t.KID,
	}, token), s.guard.Failed(c.client, err)
}

func (s *Server) listDevices(ctx context.Context, q *request) ([]api.Device, error) {
	rows, err := s.vault.Devices(ctx, q.By)
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, maxDevices, deviceAt, wireDevice)
}

func (s *Server) approveDevice(ctx context.Context, c call[api.ApproveDevice]) (api.ApprovedDevice, error) {
	namespace, err := c.namespace()
	if err != nil {
		return api.ApprovedDevice{}, err
	}
	d, err := s.vault.ApproveDevice(ctx, c.By, c.In.UserCode, c.In.AgentID, namespace)
	out := api.ApprovedDevice{Approved: true, UserCode: d.UserCode}
	if d.AgentID != nil {
		out.AgentID = *d.AgentID
	}
	return out, err
}

func (s *Server) deleteDevices(ctx context.Context, q *request) (api.DeletedDevices, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.DeletedDevices{}, err
	}
	rows, err := s.vault.DeleteDevices(ctx, q.By, namespace, q.PathValue("agent_id"))
	return api.DeletedDevices{Deleted: true, Rows: rows}, err
}

func wireDevice(d vault.Device) api.Device {
	return api.Device{
		ID: d.ID, UserCode: d.UserCode, Status: d.Status, AgentID: d.AgentID,
		CreatedAt: api.NewTime(d.Created), ApprovedAt: wireTime(d.Approved), SourceIP: d.Source,
	}
}
