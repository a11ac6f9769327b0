package vault

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// The device authorisation grant (RFC 8628).
const (
	deviceLife     = 10 * time.Minute
	deviceInterval = 5 * time.Second
	maxPending     = 300                // devices that wait at once
	deviceKept     = 7 * 24 * time.Hour // after a token ran out
	deviceUnused   = 90 * 24 * time.Hour
)

// The states of a device.
const (
	devicePending  = "pending"
	deviceApproved = "approved"
	deviceIssued   = "issued" // approved, and the code was used
	deviceDenied   = "denied"
)

// devices are log-ins that wait for approval, and those that led to a token.
var (
	devices        = store.Rows[deviceRow]("device")
	devicesInOrder = store.Unique(devices, "device_in_order", func(r deviceRow) (store.Key, bool) {
		return newestFirst(r.Created, r.ID), true
	})
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

	// What a host that proved to have an agent's key says of itself.
	Public   []byte `cbor:"13,keyasint,omitempty"` // that key; none in the bare form
	Claim    string `cbor:"14,keyasint,omitempty"` // the agent's id
	ClaimNS  string `cbor:"15,keyasint,omitempty"` // the agent's namespace
	Hostname string `cbor:"16,keyasint,omitempty"`
	OS       string `cbor:"17,keyasint,omitempty"`
	CLI      string `cbor:"18,keyasint,omitempty"`
	Origin   string `cbor:"19,keyasint,omitempty"`
	Used     int64  `cbor:"20,keyasint,omitempty"` // when it last got an access token
}

// proved reports whether the host proved to have the key.
func (r deviceRow) proved() bool { return len(r.Public) > 0 }

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

// AuthorizeDevice begins a log-in; init is nil in the bare form, in which the
// host proves nothing. It returns [ErrTooMany] while too many wait,
// [ErrProofRequired] for the bare form where that is not enough, and for a proof
// that is not good [ErrUnauthorized], [ErrClockSkew] or [ErrReplay].
func (v *Vault) AuthorizeDevice(ctx context.Context, from access.Origin, init *DeviceInit) (DeviceAuthorization, error) {
	k, release, err := v.use()
	if err != nil {
		return DeviceAuthorization{}, err
	}
	defer release()
	var host deviceRow
	switch {
	case init != nil:
		if host, err = init.row(); err != nil {
			return DeviceAuthorization{}, v.failAuth(ctx, k, from, record{action: access.DeviceAuthorize}, err)
		}
	case v.cfg.RequireDeviceProof:
		return DeviceAuthorization{}, ErrProofRequired
	}
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
		row := host
		row.ID, row.Code, row.UserCode = uuid.NewString(), o.keys.hash(hashDevice, code.Reveal()), token.UserCode()
		row.Status, row.Created, row.Expires = devicePending, o.now.UnixNano(), o.now.Add(deviceLife).UnixNano()
		row.Source = from.Source
		d.UserCode, o.record.resource = row.UserCode, row.UserCode
		if init != nil {
			o.record.agent = row.Claim
			o.record.about(proof.EncodeKey(row.Public), "key")
			if err := o.use(init.message()); err != nil {
				return err
			}
		}
		return devices.Insert(o.Tx, row)
	})
	if err != nil {
		code.Wipe()
		return DeviceAuthorization{}, v.failAuth(ctx, k, from, record{action: access.DeviceAuthorize}, err)
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

// PollDevice trades an approved device code for an access token, once. A log-in
// that began with a proof takes one with each poll; p is nil for others. It
// returns [ErrAuthorizationPending] until it is approved, [ErrDeviceDenied] and
// [ErrDeviceExpired] for what has ended, and [ErrUnauthorized] for codes that are
// unknown or used, or a proof that is not good.
func (v *Vault) PollDevice(ctx context.Context, from access.Origin, deviceCode string, p *PollProof) (DeviceToken, error) {
	k, release, err := v.use()
	if err != nil {
		return DeviceToken{}, err
	}
	row, err := v.deviceByCode(ctx, k, from, deviceCode, p)
	release()
	if err != nil {
		return DeviceToken{}, err
	}
	return v.issueDevice(ctx, from, row, p)
}

// deviceByCode finds the approved device of a code.
func (v *Vault) deviceByCode(ctx context.Context, k *keys, from access.Origin, code string, p *PollProof) (row deviceRow, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) error {
		row, err = devicesByCode.Get(tx, store.Key(k.hash(hashDevice, []byte(code))))
		return err
	})
	switch {
	case err != nil && !isNotFound(err):
		return deviceRow{}, err
	case err != nil || !p.good(row, code):
		return deviceRow{}, v.fail(ctx, k, from, record{action: access.DeviceLogin}, ErrUnauthorized)
	case row.Expires <= time.Now().UnixNano():
		return deviceRow{}, v.fail(ctx, k, from, record{action: access.DeviceLogin, status: statusExpired}, ErrDeviceExpired)
	case row.Status == deviceDenied:
		return deviceRow{}, ErrDeviceDenied
	case row.Status != deviceApproved:
		return deviceRow{}, ErrAuthorizationPending
	}
	return row, nil
}

// issueDevice mints the access token of an approved device and uses its code
// up.
func (v *Vault) issueDevice(ctx context.Context, from access.Origin, approved deviceRow, p *PollProof) (t DeviceToken, err error) {
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
		if row.proved() { // so that a poll that was overheard cannot be used as well
			if err := o.use(message{TS: p.TS, By: "device:" + row.ID, Once: "poll"}); err != nil {
				return ErrUnauthorized
			}
		}
		row.Status, row.Code = deviceIssued, ""
		t, err = o.mintAccess(row)
		return err
	})
	if err != nil {
		return DeviceToken{}, err
	}
	return t, nil
}

// mintAccess gives a device a new access token, which ends the one before, and
// keeps its row.
func (o *op) mintAccess(row deviceRow) (DeviceToken, error) {
	ttl := token.DeviceTTL
	if row.proved() {
		ttl = token.AccessTTL
	}
	s := o.keys.signer()
	c := token.Device(row.AgentID, row.Namespace, row.Agent, uuid.NewString())
	c.Expires = o.now.Add(ttl).Unix()
	text, err := token.Mint(s.key, s.kid, c)
	if err != nil {
		return DeviceToken{}, err
	}
	row.JTI, row.Used, row.Expires = c.ID, o.now.UnixNano(), o.now.Add(ttl).UnixNano()
	if row.proved() {
		row.Expires = o.now.Add(deviceUnused).UnixNano()
	}
	return DeviceToken{AccessToken: opaque.New([]byte(text)), ExpiresIn: ttl, KID: s.kid}, devices.Put(o.Tx, row)
}
