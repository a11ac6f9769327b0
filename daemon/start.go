package daemon

import (
	"context"
	"maps"
	"slices"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// start gets the secrets and starts the program.
func (j *job) start(ctx context.Context) (*spawn.Run, error) {
	if err := j.admit(j.req); err != nil {
		return nil, err
	}
	spec, err := surroundings(j.c, j.req)
	if err != nil {
		return nil, err
	}
	j.req = withCanaries(j.req)
	names, err := wanted(j.req, spec.Dir)
	if err != nil {
		return nil, err
	}
	w := wish{names: names, needed: slices.Concat(j.req.Needed, j.req.SSH, handed(j.req)), all: len(j.req.Templates) > 0}
	by := j.caller(j.c.peer, spec.Dir)
	got, err := awaited(ctx, j.signals, func(ctx context.Context) (gift, error) {
		return j.patient(ctx, func(ctx context.Context) (gift, error) {
			w.look = j.look(spec, j.c.peer) // a person's decision can take hours
			return j.gather(ctx, spec.Dir, w, by)
		})
	})
	defer got.wipe()
	if err != nil {
		return nil, err
	}
	if err := j.give(ctx, &spec, got, w, by); err != nil {
		return nil, err
	}
	r, err := j.launch(ctx, spec)
	if err == nil && !j.req.Canary {
		j.projects.ran(j.req.Project, j.c.peer.UID)
	}
	return r, err
}

// give has the program get what came of a wish, and nothing that is not to be its, and tells
// the client what it gets in another way or not at all.
func (j *job) give(ctx context.Context, spec *spawn.Spec, got gift, w wish, by client.CallerContext) error {
	if got.offline != nil && j.req.Offline {
		j.c.answer(ipc.Response{OK: true, Offline: got.offline, ServerURL: j.client.URL()})
	}
	if err := j.pin(spec, got); err != nil {
		return err
	}
	if got.pin != nil && got.pin.Sealed {
		if err := seal(spec, w.look); err != nil {
			return err
		}
	}
	if err := j.handOver(spec, got); err != nil {
		return err
	}
	if len(j.req.SSH) > 0 {
		if err := j.startAgent(ctx, spec, got, wish{names: w.names, look: w.look}, by); err != nil {
			return err
		}
	}
	if len(got.missing) > 0 {
		j.c.answer(ipc.Response{OK: true, Missing: got.missing, GrantID: got.waiting, ServerURL: j.client.URL()})
	}
	if held := withoutAgent(got, j.req); len(held) > 0 {
		j.c.answer(ipc.Response{OK: true, SSHKeys: held})
	}
	spec.Secrets = secrets(renamed(got.values, j.req))
	mask, err := j.masks(got)
	if err != nil {
		return err
	}
	if mask {
		spec.Needles = needles(*spec, j.req, got)
	}
	j.withhold(spec)
	return nil
}

func secrets(values map[string]opaque.Bytes) []spawn.Secret {
	list := make([]spawn.Secret, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, spawn.Secret{Name: name, Value: values[name]})
	}
	return list
}
