package daemon

import (
	"context"
	"maps"
	"slices"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// start gets the secrets and starts the program.
func (d *enrolment) start(ctx context.Context, c *connection, req ipc.Request, signals <-chan ipc.Signal) (*spawn.Run, error) {
	if err := d.admit(req); err != nil {
		return nil, err
	}
	spec, err := surroundings(c, req)
	if err != nil {
		return nil, err
	}
	req = withCanaries(req)
	names, err := wanted(req, spec.Dir)
	if err != nil {
		return nil, err
	}
	w := wish{names: names, needed: slices.Concat(req.Needed, req.SSH, handed(req)), all: len(req.Templates) > 0}
	by := d.caller(c.peer, spec.Dir)
	got, err := awaited(ctx, signals, func(ctx context.Context) (gift, error) {
		return d.patient(ctx, c, req, func(ctx context.Context) (gift, error) {
			w.look = d.look(spec, c.peer) // a person's decision can take hours
			return d.gather(ctx, spec.Dir, req, w, by)
		})
	})
	defer got.wipe()
	if err != nil {
		return nil, err
	}
	if got.offline != nil && req.Offline {
		c.answer(ipc.Response{OK: true, Offline: got.offline, ServerURL: d.client.URL()})
	}
	if err := d.pin(c, &spec, req, got); err != nil {
		return nil, err
	}
	if got.pin != nil && got.pin.Sealed {
		if err := seal(&spec, w.look); err != nil {
			return nil, err
		}
	}
	if err := d.handOver(&spec, req, got); err != nil {
		return nil, err
	}
	if len(req.SSH) > 0 {
		if err := d.startAgent(ctx, c, &spec, req, got, wish{names: names, look: w.look}, by); err != nil {
			return nil, err
		}
	}
	if len(got.missing) > 0 {
		c.answer(ipc.Response{OK: true, Missing: got.missing, GrantID: got.waiting, ServerURL: d.client.URL()})
	}
	if held := withoutAgent(got, req); len(held) > 0 {
		c.answer(ipc.Response{OK: true, SSHKeys: held})
	}
	spec.Secrets = secrets(renamed(got.values, req))
	mask, err := d.masks(c, req, got)
	if err != nil {
		return nil, err
	}
	if mask {
		spec.Needles = needles(spec, req, got)
	}
	d.withhold(c, &spec, req.Project)
	r, err := d.launch(ctx, c, spec, signals)
	if err == nil && !req.Canary {
		d.projects.ran(req.Project, c.peer.UID)
	}
	return r, err
}

func secrets(values map[string]opaque.Bytes) []spawn.Secret {
	list := make([]spawn.Secret, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, spawn.Secret{Name: name, Value: values[name]})
	}
	return list
}
