package client

import (
	"context"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// SealStatus says whether the vault is sealed.
func (c *Client) SealStatus(ctx context.Context) (api.SealStatus, error) {
	return call[api.SealStatus](ctx, c, request{method: http.MethodGet, path: at("/sys/seal-status"), header: http.Header{}})
}

// Seal takes the vault's keys out of memory.
func (c *Client) Seal(ctx context.Context) (api.SealStatus, error) {
	return admin[api.SealStatus](ctx, c, http.MethodPost, at("/sys/seal"), nil, nil)
}

// turnWait is how long a password may wait until it is tried.
const turnWait = 2 * time.Minute

// Unseal gives the operator's password, or a share, to a sealed vault.
func (c *Client) Unseal(ctx context.Context, in api.UnsealRequest) (api.SealStatus, error) {
	return post[api.SealStatus](ctx, c, "/sys/unseal", in, turnWait)
}

// ChangeKEKPassword gives the vault another operator password.
func (c *Client) ChangeKEKPassword(ctx context.Context, in api.ChangeKEKPassword) (api.ChangedPassword, error) {
	return admin[api.ChangedPassword](ctx, c, http.MethodPost, at("/admin/change-password"), nil, in)
}

// RotateKey gives the vault a new key-encryption key under a new password.
func (c *Client) RotateKey(ctx context.Context, in api.RotateKey) (api.RotatedKey, error) {
	return admin[api.RotatedKey](ctx, c, http.MethodPost, at("/admin/rotate-key"), nil, in)
}

// Rotation says how far the last rotation has come.
func (c *Client) Rotation(ctx context.Context) (api.Rotation, error) {
	return admin[api.Rotation](ctx, c, http.MethodGet, at("/admin/rotate-key"), nil, nil)
}

// SplitKey gives the key away in shares.
func (c *Client) SplitKey(ctx context.Context, in api.SplitKey) (api.SharesMade, error) {
	return admin[api.SharesMade](ctx, c, http.MethodPost, at("/admin/shamir/generate"), nil, in)
}

// RotateSigningKey makes a new key that signs tokens.
func (c *Client) RotateSigningKey(ctx context.Context) (api.RotatedSigningKey, error) {
	return admin[api.RotatedSigningKey](ctx, c, http.MethodPost, at("/admin/rotate-signing-key"), nil, nil)
}
