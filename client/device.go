package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// DeviceAuthorize begins a login: the answer holds the code that a person
// must approve and the code to poll with, and tells whether the server took the
// proof that in may hold.
func (c *Client) DeviceAuthorize(ctx context.Context, in api.DeviceAuthorizeRequest) (api.DeviceAuthorization, error) {
	out, err := post[api.DeviceAuthorization](ctx, c, "/device/authorize", in, 0)
	if err == nil && (out.DeviceCode.Len() == 0 || out.UserCode == "") {
		err = errLacks("device_code or user_code")
	}
	return out, err
}

// DeviceToken asks for an access token: with a device code, or with an assertion.
// While nobody has approved the code, the error is [api.AuthorizationPending];
// [api.SlowDown] and status 429 mean the same and ask for more patience.
func (c *Client) DeviceToken(ctx context.Context, in api.DeviceTokenRequest) (api.DeviceToken, error) {
	out, err := post[api.DeviceToken](ctx, c, "/device/token", in, 0)
	switch {
	case err != nil:
	case out.AccessToken.Len() == 0:
		err = errLacks("access_token")
	case !graphic(out.AccessToken.Reveal()):
		err = fmt.Errorf("%w: access_token", ErrAnswer)
	case out.ExpiresIn < 0 || out.ExpiresIn > maxLogin:
		err = fmt.Errorf("%w: expires_in", ErrAnswer)
	}
	return out, err
}

// An Asserter asserts to be an agent, with its key; identity.Key is one.
type Asserter interface {
	Assert() (api.DeviceTokenRequest, error)
}

// AccessToken gets an access token for what by asserts.
func (c *Client) AccessToken(ctx context.Context, by Asserter) (opaque.Bytes, error) {
	assertion, err := by.Assert()
	if err != nil {
		return opaque.Bytes{}, err
	}
	answer, err := c.DeviceToken(ctx, assertion)
	return opaque.New(answer.AccessToken.Reveal()), err
}

// LogOut ends every login of the agent whose access token this is, at once, with
// its sessions and tokens. Older servers have no such route.
func (c *Client) LogOut(ctx context.Context, accessToken opaque.Bytes) (api.DeletedDevices, error) {
	return call[api.DeletedDevices](ctx, c, request{method: http.MethodPost, path: at("/device/logout"), header: bearer(accessToken)})
}

// Devices returns the device logins, newest first.
func (c *Client) Devices(ctx context.Context) ([]api.Device, error) {
	return admin[[]api.Device](ctx, c, http.MethodGet, at("/admin/devices"), nil, nil)
}

// LookUpDevice returns what waits with the code that a login shows.
func (c *Client) LookUpDevice(ctx context.Context, userCode string) (api.PendingDevice, error) {
	return admin[api.PendingDevice](ctx, c, http.MethodPost, at("/admin/web/device/lookup"), nil, api.UserCode{UserCode: userCode})
}

// DenyDevice says no to a login that waits.
func (c *Client) DenyDevice(ctx context.Context, userCode string) (api.DeniedDevice, error) {
	return admin[api.DeniedDevice](ctx, c, http.MethodPost, at("/admin/web/device/deny"), nil, api.UserCode{UserCode: userCode})
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
	text := u.String()
	if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(text) > maxURL || !graphic([]byte(text)) {
		return "", fmt.Errorf("%w: verification_uri", ErrAnswer)
	}
	return text, nil
}

// maxLogin is the longest that a login can last, in seconds: ten years. More is
// a mistake.
const maxLogin = 10 * 365 * 24 * 3600

// maxURL is the longest address that a person is shown, in bytes.
const maxURL = 2048

// graphic reports whether b is ASCII without blanks and control characters, as
// URLs and tokens are.
func graphic(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c <= ' ' || c >= 0x7f })
}

// post sends in to a route without authentication.
func post[P any](ctx context.Context, c *Client, route string, in any, wait time.Duration) (P, error) {
	body, err := json.Marshal(in)
	if err != nil {
		var none P
		return none, fmt.Errorf("encoding the request: %w", err)
	}
	return call[P](ctx, c, request{method: http.MethodPost, path: at(route), body: body, wait: wait})
}
