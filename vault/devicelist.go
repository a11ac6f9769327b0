package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// A Device is a log-in.
type Device struct {
	ID, UserCode string
	// Status is "pending", "approved" or "denied".
	Status string
	// AgentID is the agent it was approved for.
	AgentID  *string
	Created  time.Time
	Approved *time.Time
	// Source is the address the log-in was begun from.
	Source *string
	// Proved tells that the host has the agent's key. Hostname is its own word.
	Proved   bool
	Hostname *string
	// LastUsed is when it last got an access token.
	LastUsed *time.Time
}

func (r deviceRow) device() Device {
	d := Device{Proved: r.proved(), Hostname: present(r.Hostname), ID: r.ID, UserCode: r.UserCode, Status: r.Status, AgentID: present(r.AgentID), Created: nanos(r.Created), Source: present(r.Source)}
	if r.Status == deviceIssued {
		d.Status = deviceApproved
	}
	if r.Approved != 0 {
		d.Approved = new(nanos(r.Approved))
	}
	if r.Used != 0 {
		d.LastUsed = new(nanos(r.Used))
	}
	return d
}

// Devices returns the log-ins, newest first.
func (v *Vault) Devices(ctx context.Context, by access.Caller) (all []Device, err error) {
	err = v.look(ctx, by, access.ListDevices, func(o *op) error {
		return collectSeen(o, &all, devices.All(o.Tx, ""), deviceRow.in, deviceRow.device)
	})
	slices.SortFunc(all, func(a, b Device) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// in returns whose a device is to see: one that waits is nobody's yet, and for
// whoever may approve it.
func (r deviceRow) in() string { return cmp.Or(r.Namespace, r.ClaimNS, DefaultNamespace) }

// DevicesPage returns a part of what Devices does, and the position to go on
// after, empty at the end. It reads no more than the part.
func (v *Vault) DevicesPage(ctx context.Context, by access.Caller, p Page) (part []Device, next string, err error) {
	err = v.look(ctx, by, access.ListDevices, func(o *op) error {
		o.anywhere()
		rows, n, err := ordered(o, devicesInOrder, "", p, func(r deviceRow) bool { return o.by.Within(r.in()) })
		part, next = convert(rows, deviceRow.device), n
		return err
	})
	return part, next, err
}

// DeleteDevices ends every log-in of an agent at once, with its sessions, and
// returns how many log-ins that were: none of an agent that there is not. Without
// a namespace, an id that stands in several is [ErrAmbiguous].
func (v *Vault) DeleteDevices(ctx context.Context, by access.Caller, namespace, agentID string) (rows int, err error) {
	err = v.do(ctx, by, record{action: access.DeleteDevice, agent: agentID}, func(o *op) error {
		rows = 0
		a, err := o.agent(namespace, agentID)
		if isNotFound(err) || errors.Is(err, ErrNotFound) {
			o.anywhere() // nothing to delete is fine
			return nil
		}
		if err != nil {
			return err
		}
		o.record.about(a.ID, "namespace="+a.Namespace)
		rows, err = o.endDevices(a)
		return err
	})
	return rows, err
}

// endDevices deletes an agent's log-ins, and ends its sessions and tokens.
func (o *op) endDevices(a agentRow) (n int, err error) {
	all, err := gather(devicesByAgent.All(o.Tx, store.Key(a.ID)))
	if err != nil {
		return 0, err
	}
	for _, d := range all {
		if err := devices.Delete(o.Tx, d.Key()); err != nil {
			return 0, err
		}
	}
	if _, err = o.endSessions(a.ID); err != nil {
		return 0, err
	}
	return len(all), o.revokeTokensOf(a.ID)
}
