package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/cortex-auth/cortex/server/api"
)

// DeviceAuthorize begins a login: the answer holds the code that a person
// must approve and the code to poll with.
func (c *Client) DeviceAuthorize(ctx context.Context) (api.DeviceAuthorization, error) {
	out, err := post[api.DeviceAuthorization](ctx, c, "/device/authorize", api.DeviceAuthorizeRequest{ClientID: "cortex-cli"})
	if err == nil && (out.DeviceCode.Len() == 0 || out.UserCode == "") {
		err = errLacks("device_code or user_code")
	}
	return out, err
}

// DeviceToken polls once. While nobody has approved, the error is
// [api.AuthorizationPending]; [api.SlowDown] and status 429 mean the same and
// ask for more patience.
func (c *Client) DeviceToken(ctx context.Context, deviceCode api.Value) (api.DeviceToken, error) {
	out, err := post[api.DeviceToken](ctx, c, "/device/token", api.DeviceTokenRequest{DeviceCode: deviceCode, GrantType: api.GrantTypeDeviceCode})
	if err == nil && out.AccessToken.Len() == 0 {
		err = errLacks("access_token")
	}
	return out, err
}

// Devices returns the device logins, newest first.
func (c *Client) Devices(ctx context.Context) ([]api.Device, error) {
	return admin[[]api.Device](ctx, c, http.MethodGet, at("/admin/devices"), nil, nil)
}

// ApproveDevice approves a login by the code that it shows.
func (c *Client) ApproveDevice(ctx context.Context, namespace string, in api.ApproveDevice) (api.ApprovedDevice, error) {
	return admin[api.ApprovedDevice](ctx, c, http.MethodPost, at("/admin/web/device/approve"), inNamespace(namespace), in)
}

// DeleteDevices deletes the device logins of an agent.
func (c *Client) DeleteDevices(ctx context.Context, namespace, agentID string) (api.DeletedDevices, error) {
	return admin[api.DeletedDevices](ctx, c, http.MethodDelete, at("/admin/devices/", agentID), inNamespace(namespace), nil)
}

// ApprovalURL returns the address of the page where a person approves a login,
// as absolute URL. The server may give a relative one.
func (c *Client) ApprovalURL(d api.DeviceAuthorization) (string, error) {
	u, err := url.Parse(d.VerificationURI)
	if err != nil {
		return "", fmt.Errorf("%w: verification_uri", ErrAnswer)
	}
	u = c.base.ResolveReference(u)
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%w: verification_uri", ErrAnswer)
	}
	return u.String(), nil
}

// post sends in to a route without authentication.
func post[P any](ctx context.Context, c *Client, route string, in any) (P, error) {
	body, err := json.Marshal(in)
	if err != nil {
		var none P
		return none, fmt.Errorf("encoding the request: %w", err)
	}
	return call[P](ctx, c, request{method: http.MethodPost, path: at(route), body: body})
}
