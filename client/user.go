package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Login checks the password of an account. What it answers is the token that
// goes where the admin token does.
func (c *Client) Login(ctx context.Context, in api.LoginRequest) (api.LoginResponse, error) {
	out, err := post[api.LoginResponse](ctx, c, "/login", in, turnWait)
	switch {
	case err != nil:
	case out.Token.Len() == 0:
		err = errLacks("token")
	case !graphic(out.Token.Reveal()):
		err = errLacks("a token that could be sent")
	}
	return out, err
}

// Logout ends the log-in that the Client's token belongs to.
func (c *Client) Logout(ctx context.Context) (api.LoggedOut, error) {
	return admin[api.LoggedOut](ctx, c, http.MethodPost, at("/admin/logout"), nil, nil)
}

// WhoAmI returns whose the Client's token is.
func (c *Client) WhoAmI(ctx context.Context) (api.WhoAmI, error) {
	return admin[api.WhoAmI](ctx, c, http.MethodGet, at("/admin/whoami"), nil, nil)
}

// ChangeOwnPassword changes the password of the account that the Client's token
// belongs to.
func (c *Client) ChangeOwnPassword(ctx context.Context, in api.ChangePassword) (api.ChangedPassword, error) {
	return admin[api.ChangedPassword](ctx, c, http.MethodPost, at("/admin/password"), nil, in)
}

// Users returns every account, by name.
func (c *Client) Users(ctx context.Context) ([]api.User, error) {
	return admin[[]api.User](ctx, c, http.MethodGet, at("/admin/users"), nil, nil)
}

// CreateUser makes an account.
func (c *Client) CreateUser(ctx context.Context, in api.CreateUser) (api.User, error) {
	return admin[api.User](ctx, c, http.MethodPost, at("/admin/users"), nil, in)
}

// UpdateUser changes an account, and ends its log-ins.
func (c *Client) UpdateUser(ctx context.Context, id string, in api.UpdateUser) (api.User, error) {
	return admin[api.User](ctx, c, http.MethodPut, at("/admin/users/", id), nil, in)
}

// DeleteUser deletes an account, and ends its log-ins.
func (c *Client) DeleteUser(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/users/", id), nil, nil)
}

// Confirmations returns what waits for a second person, newest first.
func (c *Client) Confirmations(ctx context.Context) ([]api.Confirmation, error) {
	return admin[[]api.Confirmation](ctx, c, http.MethodGet, at("/admin/confirmations"), nil, nil)
}

// Confirm lets another person's request happen, when it is sent again.
func (c *Client) Confirm(ctx context.Context, id string) (api.Confirmation, error) {
	return admin[api.Confirmation](ctx, c, http.MethodPost, at("/admin/confirmations/", id, "/confirm"), nil, nil)
}

// RejectConfirmation deletes a request that waits for a second person.
func (c *Client) RejectConfirmation(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/confirmations/", id), nil, nil)
}
