package vault

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/token"
)

// The device authorisation grant (RFC 8628).
const (
	deviceLife     = 10 * time.Minute
	deviceInterval = 5 * time.Second
	maxPending     = 300                // devices that wait at once
	deviceKept     = 7 * 24 * time.Hour // after a token ran out
)

// The states of a device.
const (
	devicePending  = "pending"
	deviceApproved = "approved"
	deviceIssued   = "issued" // approved, and the code was used
)

// devices are log-ins that wait for approval, and those that led to a token.
var (
	devices       = store.Rows[deviceRow]("device")
	devicesByCode = store.Unique(devices, "device_by_code", func(r deviceRow) (store.Key, bool) {
		return store.Key(r.Code), r.Code != ""
	})
	devicesByUserCode = store.Unique(devices, "device_by_user_code", func(r deviceRow) (store.Key, bool) {
		return store.Key(r.UserCode), r.Status == devicePending
	})
	devicesByAgent = store.NewMulti(devices, "device_by_agent", func(r deviceRow) (store.Key, bool) {
		return store.Key(r.Agent), r.Agent != ""
	})
	devicesByJTI = store.Unique(devices, "device_by_jti", func(r deviceRow) (store.Key, bool) {
		return store.Key(r.JTI), r.JTI != ""
	})
	devicesByStatus = store.NewMulti(devices, "device_by_status", func(r deviceRow) (store.Key, bool) {
		return store.Key(r.Status), true
	})
)

type deviceRow struct {
	ID        string `cbor:"1,keyasint"`
	Code      string `cbor:"2,keyasint,omitempty"` // HMAC under the index key, hex; empty once used
	UserCode  string `cbor:"3,keyasint"`
	Status    string `cbor:"4,keyasint"`
	Agent     string `cbor:"5,keyasint,omitempty"` // row id
	AgentID   string `cbor:"6,keyasint,omitempty"`
	Namespace string `cbor:"7,keyasint,omitempty"`
	Created   int64  `cbor:"8,keyasint"`
	Expires   int64  `cbor:"9,keyasint"` // of the code, later of the token
	Approved  int64  `cbor:"10,keyasint,omitempty"`
	JTI       string `cbor:"11,keyasint,omitempty"` // of the access token
	Source    string `cbor:"12,keyasint,omitempty"`
}

// Key returns the row id.
func (r deviceRow) Key() store.Key { return store.Key(r.ID) }

// hash returns the look-up form of a bearer text.
func (k *keys) hash(use string, text []byte) string {
	tag := k.index.Tag([]byte(use), text)
	return hex.EncodeToString(tag[:])
}

// The uses of hash.
const (
	hashDevice  = "device-code"
	hashProject = "project-token"
	hashLogin   = "login"
)

// A DeviceAuthorization is a log-in that waits for approval.
type DeviceAuthorization struct {
	// DeviceCode is what the device polls with: 64 hex characters.
	DeviceCode opaque.Bytes
	// UserCode is what a person types: XXXX-XXXX.
	UserCode string
	// ExpiresIn is how long the codes live, Interval how often to poll.
	ExpiresIn, Interval time.Duration
}

// AuthorizeDevice begins a log-in. It returns [ErrTooMany] while too many wait.
func (v *Vault) AuthorizeDevice(ctx context.Context, from access.Origin) (DeviceAuthorization, error) {
	k, release, err := v.use()
	if err != nil {
		return DeviceAuthorization{}, err
	}
	defer release()
	// In a View, and counted: anybody may ask, as often as they like.
	if err := v.roomForDevice(ctx, k); err != nil {
		if !errors.Is(err, ErrTooMany) {
			return DeviceAuthorization{}, translate(err)
		}
		return DeviceAuthorization{}, v.fail(ctx, k, from, record{action: access.DeviceAuthorize, status: statusRefused}, err)
	}
	code := token.Random()
	d := DeviceAuthorization{DeviceCode: code, ExpiresIn: deviceLife, Interval: deviceInterval}
	err = v.doWith(ctx, k, access.Nobody(from), record{action: access.DeviceAuthorize}, func(o *op) error {
		row := deviceRow{
			ID: uuid.NewString(), Code: o.keys.hash(hashDevice, code.Reveal()), UserCode: token.UserCode(),
			Status: devicePending, Created: o.now.UnixNano(), Expires: o.now.Add(deviceLife).UnixNano(),
			Source: from.Source,
		}
		d.UserCode, o.record.resource = row.UserCode, row.UserCode
		return devices.Insert(o.Tx, row)
	})
	if err != nil {
		code.Wipe()
		return DeviceAuthorization{}, err
	}
	return d, nil
}

// roomForDevice returns [ErrTooMany] while maxPending log-ins wait. Requests
// that come at once may go a little over it.
func (v *Vault) roomForDevice(ctx context.Context, k *keys) error {
	now, waiting := time.Now().UnixNano(), 0
	return v.db.View(ctx, func(tx *store.Tx) error {
		for r, err := range devicesByStatus.All(tx, devicePending) {
			if err != nil {
				return err
			}
			if r.Expires > now {
				waiting++
			}
			if waiting == maxPending {
				return ErrTooMany
			}
		}
		return nil
	})
}

// A DeviceToken is the access token of an approved device.
type DeviceToken struct {
	// AccessToken is a JWT that says who the agent is.
	AccessToken opaque.Bytes
	// ExpiresIn is how long it is good.
	ExpiresIn time.Duration
	// KID names the key that signed it.
	KID string
}

// PollDevice trades an approved device code for an access token, once. It
// returns [ErrAuthorizationPending] until then, and [ErrUnauthorized] for
// codes that are unknown, used or too old.
func (v *Vault) PollDevice(ctx context.Context, from access.Origin, deviceCode string) (DeviceToken, error) {
	k, release, err := v.use()
	if err != nil {
		return DeviceToken{}, err
	}
	row, err := v.deviceByCode(ctx, k, from, deviceCode)
	release()
	if err != nil {
		return DeviceToken{}, err
	}
	return v.issueDevice(ctx, from, row)
}

// deviceByCode finds the approved device of a code.
func (v *Vault) deviceByCode(ctx context.Context, k *keys, from access.Origin, code string) (row deviceRow, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) error {
		row, err = devicesByCode.Get(tx, store.Key(k.hash(hashDevice, []byte(code))))
		return err
	})
	switch {
	case isNotFound(err) || err == nil && row.Expires <= time.Now().UnixNano():
		return deviceRow{}, v.fail(ctx, k, from, record{action: access.DeviceLogin}, ErrUnauthorized)
	case err != nil:
		return deviceRow{}, err
	case row.Status != deviceApproved:
		return deviceRow{}, ErrAuthorizationPending
	}
	return row, nil
}

// issueDevice mints the access token of an approved device and uses its code
// up.
func (v *Vault) issueDevice(ctx context.Context, from access.Origin, approved deviceRow) (t DeviceToken, err error) {
	by := access.Caller{
		Kind: access.Agent, ID: approved.Agent, Name: approved.AgentID, Namespace: approved.Namespace,
		Auth: "device-code", Origin: from,
	}
	err = v.do(ctx, by, record{action: access.DeviceTokenIssue, agent: approved.AgentID}, func(o *op) error {
		row, err := devices.Get(o.Tx, approved.Key())
		if isNotFound(err) || err == nil && row.Status != deviceApproved {
			return ErrUnauthorized // used or deleted since
		}
		if err != nil {
			return err
		}
		s := o.keys.signer()
		c := token.Device(row.AgentID, row.Namespace, row.Agent, uuid.NewString())
		text, err := token.Mint(s.key, s.kid, c)
		if err != nil {
			return err
		}
		t = DeviceToken{AccessToken: opaque.New([]byte(text)), ExpiresIn: token.DeviceTTL, KID: s.kid}
		row.Status, row.Code, row.JTI, row.Expires = deviceIssued, "", c.ID, time.Unix(c.Expires, 0).UnixNano()
		return devices.Put(o.Tx, row)
	})
	if err != nil {
		return DeviceToken{}, err
	}
	return t, nil
}

// A Device is a log-in.
type Device struct {
	ID, UserCode string
	// Status is "pending" or "approved".
	Status string
	// AgentID is the agent it was approved for.
	AgentID  *string
	Created  time.Time
	Approved *time.Time
	// Source is the address the log-in was begun from.
	Source *string
}

func (r deviceRow) device() Device {
	d := Device{ID: r.ID, UserCode: r.UserCode, Status: r.Status, AgentID: present(r.AgentID), Created: nanos(r.Created), Source: present(r.Source)}
	if r.Status == deviceIssued {
		d.Status = deviceApproved
	}
	if r.Approved != 0 {
		d.Approved = new(nanos(r.Approved))
	}
	return d
}

// Devices returns the log-ins, newest first.
func (v *Vault) Devices(ctx context.Context, by access.Caller) (all []Device, err error) {
	err = v.look(ctx, by, access.ListDevices, func(o *op) error {
		return collect(&all, devices.All(o.Tx, ""), deviceRow.device)
	})
	slices.SortFunc(all, func(a, b Device) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// ApproveDevice lets the device that shows userCode act for an agent. A code
// that is unknown, decided or too old, and an agent that is not registered,
// are [ErrNotFound].
func (v *Vault) ApproveDevice(ctx context.Context, by access.Caller, userCode, agentID, namespace string) (d Device, err error) {
	code, ok := token.ParseUserCode(userCode)
	if !ok {
		return Device{}, invalid("user_code", "must be as the device shows it, XXXX-XXXX")
	}
	agentID = strings.TrimSpace(agentID)
	if err := checkAgentID("agent_id", agentID); err != nil {
		return Device{}, err
	}
	err = v.do(ctx, by, record{action: access.DeviceApprove, agent: agentID, resource: code}, func(o *op) error {
		a, err := o.agent(namespace, agentID)
		if errors.Is(err, ErrNotFound) || isNotFound(err) {
			return invalid("agent_id", "is not registered; register its public key first")
		}
		if err != nil {
			return err
		}
		row, err := devicesByUserCode.Get(o.Tx, store.Key(code))
		if err != nil {
			return err
		}
		if row.Expires <= o.now.UnixNano() {
			return ErrNotFound
		}
		row.Status, row.Approved = deviceApproved, o.now.UnixNano()
		row.Agent, row.AgentID, row.Namespace = a.ID, a.AgentID, a.Namespace
		d = row.device()
		return devices.Put(o.Tx, row)
	})
	return d, err
}

// DeleteDevices ends every log-in of an agent at once, with its sessions and
// tokens, and returns how many log-ins that were. Without a namespace it means the agents
// of that id in all namespaces.
func (v *Vault) DeleteDevices(ctx context.Context, by access.Caller, namespace, agentID string) (rows int, err error) {
	err = v.do(ctx, by, record{action: access.DeleteDevice, agent: agentID}, func(o *op) error {
		rows = 0
		found, err := gather(agentsByID.All(o.Tx, store.Key(agentID)))
		if err != nil {
			return err
		}
		for _, a := range found {
			if namespace != "" && a.Namespace != namespace {
				continue
			}
			n, err := o.endDevices(a)
			if err != nil {
				return err
			}
			rows += n
		}
		return nil
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
