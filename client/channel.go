package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
)

// Channels returns the notification channels, oldest first and without their
// configs.
func (c *Client) Channels(ctx context.Context) ([]api.Channel, error) {
	return admin[[]api.Channel](ctx, c, http.MethodGet, at("/admin/notification-channels"), nil, nil)
}

// CreateChannel makes a channel; [api.Conflict] when the name is taken.
func (c *Client) CreateChannel(ctx context.Context, in api.CreateChannel) (api.CreatedChannel, error) {
	return admin[api.CreatedChannel](ctx, c, http.MethodPost, at("/admin/notification-channels"), nil, in)
}

// UpdateChannel changes what in names and leaves the rest.
func (c *Client) UpdateChannel(ctx context.Context, id string, in api.UpdateChannel) (api.Updated, error) {
	return admin[api.Updated](ctx, c, http.MethodPut, at("/admin/notification-channels/", id), nil, in)
}

// DeleteChannel deletes a channel, with what waits for it.
func (c *Client) DeleteChannel(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/notification-channels/", id), nil, nil)
}

// TestChannel sends a test message to one channel. If it waits, the answer says
// whether the message was delivered.
func (c *Client) TestChannel(ctx context.Context, id string, wait bool) (api.TestedChannel, error) {
	var query url.Values
	if wait {
		query = url.Values{"wait": {"true"}}
	}
	return admin[api.TestedChannel](ctx, c, http.MethodPost, at("/admin/notification-channels/", id, "/test"), query, nil)
}

// DeadLetters returns the messages that a channel did not get, oldest first.
func (c *Client) DeadLetters(ctx context.Context, id string) ([]api.DeadLetter, error) {
	return admin[[]api.DeadLetter](ctx, c, http.MethodGet, at("/admin/notification-channels/", id, "/dead-letters"), nil, nil)
}

// RetryDeadLetters puts the dead letters of a channel back into its queue.
func (c *Client) RetryDeadLetters(ctx context.Context, id string) (api.Retried, error) {
	return admin[api.Retried](ctx, c, http.MethodPost, at("/admin/notification-channels/", id, "/dead-letters/retry"), nil, nil)
}

// RetryDeadLetter puts one dead letter back into the queue.
func (c *Client) RetryDeadLetter(ctx context.Context, id string, number uint64) (api.Retried, error) {
	return admin[api.Retried](ctx, c, http.MethodPost, at("/admin/notification-channels/", id, "/dead-letters/", strconv.FormatUint(number, 10), "/retry"), nil, nil)
}
