package server

import (
	"context"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/notify"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// testPatience is how long a request waits for the outcome of a test. An
// attempt of anything but mail takes no longer.
const testPatience = 15 * time.Second

func (s *Server) listChannels(ctx context.Context, q *request) ([]api.Channel, error) {
	rows, err := s.vault.Channels(ctx, q.By)
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, channelAt, wireChannel)
}

func (s *Server) createChannel(ctx context.Context, c call[api.CreateChannel]) (api.CreatedChannel, error) {
	config := opaque.New(c.In.Config.Reveal())
	defer config.Wipe()
	n := vault.NewChannel{
		Type: vault.ChannelType(c.In.ChannelType), Name: c.In.Name, Config: config,
		Enabled: c.In.Enabled == nil || *c.In.Enabled, Description: c.In.Description,
		ChannelFilter: vault.ChannelFilter{
			MinSeverity: vault.Severity(c.In.MinSeverity), Namespaces: c.In.Namespaces, Events: c.In.Events, Template: c.In.Template,
		},
	}
	if err := notify.Check(n.Type, config); err != nil {
		return api.CreatedChannel{}, err
	}
	if err := notify.CheckTemplate(n.Template); err != nil {
		return api.CreatedChannel{}, err
	}
	ch, err := s.vault.CreateChannel(ctx, c.By, n)
	return api.CreatedChannel{ID: ch.ID, Name: ch.Name, ChannelType: string(ch.Type)}, err
}

func (s *Server) updateChannel(ctx context.Context, c call[api.UpdateChannel]) (api.Updated, error) {
	id := c.PathValue("id")
	change := vault.ChannelChange{
		Enabled: c.In.Enabled, Description: c.In.Description, MinSeverity: (*vault.Severity)(c.In.MinSeverity),
		Namespaces: c.In.Namespaces, Events: c.In.Events, Template: c.In.Template,
	}
	if change.Template != nil {
		if err := notify.CheckTemplate(*change.Template); err != nil {
			return api.Updated{}, err
		}
	}
	if !c.In.Config.IsZero() {
		config := opaque.New(c.In.Config.Reveal())
		defer config.Wipe()
		// A channel never changes its type.
		ch, err := s.vault.Channel(ctx, c.By, id)
		if err != nil {
			return api.Updated{}, err
		}
		if err := notify.Check(ch.Type, config); err != nil {
			return api.Updated{}, err
		}
		change.Config = &config
	}
	return api.Updated{Updated: true, ID: id}, s.vault.UpdateChannel(ctx, c.By, id, change)
}

func (s *Server) deleteChannel(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DeleteChannel(ctx, q.By, q.PathValue("id"))
}

func (s *Server) testChannel(ctx context.Context, q *request) (api.TestedChannel, error) {
	wait, err := q.flag("wait")
	if err != nil {
		return api.TestedChannel{}, err
	}
	t, err := s.vault.TestChannel(ctx, q.By, q.PathValue("id"))
	if err != nil {
		return api.TestedChannel{}, err
	}
	defer t.Close()
	out := api.TestedChannel{Queued: true, Name: t.Name}
	if !wait {
		return out, nil
	}
	patience := time.NewTimer(testPatience)
	defer patience.Stop()
	select {
	case out.Error = <-t.Outcome:
		out.Delivered = new(out.Error == "")
	case <-patience.C:
	case <-ctx.Done():
	}
	return out, nil
}

func (s *Server) listDeadLetters(ctx context.Context, q *request) ([]api.DeadLetter, error) {
	rows, err := s.vault.DeadLetters(ctx, q.By, q.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, letterAt, wireDeadLetter)
}

func (s *Server) retryDeadLetters(ctx context.Context, q *request) (api.Retried, error) {
	n, err := s.vault.RetryDeadLetters(ctx, q.By, q.PathValue("id"), nil)
	return api.Retried{Queued: n}, err
}

func (s *Server) retryDeadLetter(ctx context.Context, q *request) (api.Retried, error) {
	number, err := strconv.ParseUint(q.PathValue("number"), 10, 64)
	if err != nil {
		return api.Retried{}, vault.ErrNotFound
	}
	n, err := s.vault.RetryDeadLetters(ctx, q.By, q.PathValue("id"), &number)
	return api.Retried{Queued: n}, err
}

func wireChannel(c vault.Channel) api.Channel {
	return api.Channel{
		ID: c.ID, ChannelType: string(c.Type), Name: c.Name, Enabled: c.Enabled, Description: c.Description,
		CreatedAt: api.NewTime(c.Created), UpdatedAt: api.NewTime(c.Updated),
		MinSeverity: string(c.MinSeverity), Namespaces: c.Namespaces, Events: c.Events, Template: c.Template,
		Queued: c.Queued, DeadLetters: c.Dead, DeliveredAt: wireTime(c.Sent), LastError: c.Trouble,
	}
}

func wireDeadLetter(d vault.DeadLetter) api.DeadLetter {
	return api.DeadLetter{
		Number: d.Number, ID: d.ID, Kind: d.Kind, Severity: string(d.Severity), Namespace: d.Namespace, AgentID: d.Agent,
		ProjectName: d.Project, Resource: d.Resource, AuditSeq: d.Entry, Keys: d.Names, CreatedAt: api.NewTime(d.Time),
		Attempts: d.Attempts, Error: d.Why, DiedAt: api.NewTime(d.Died),
	}
}
