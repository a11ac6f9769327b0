package vault

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// allowedDaemons lists the daemon binaries that may attest. While it is empty,
// all may.
var (
	allowedDaemons        = store.Rows[allowedDaemonRow]("allowed_daemon").Kept()
	allowedDaemonsInOrder = store.Unique(allowedDaemons, "allowed_daemon_in_order", func(r allowedDaemonRow) (store.Key, bool) {
		return newestFirst(r.Created, r.SHA256), true
	})
)

type allowedDaemonRow struct {
	SHA256      string  `cbor:"1,keyasint"`
	Version     *string `cbor:"2,keyasint,omitempty"`
	Description *string `cbor:"3,keyasint,omitempty"`
	Enabled     bool    `cbor:"4,keyasint,omitempty"`
	Created     int64   `cbor:"5,keyasint"`
}

// Key returns the hash.
func (r allowedDaemonRow) Key() store.Key { return store.Key(r.SHA256) }

// An AllowedDaemon is a daemon binary on the allowlist.
type AllowedDaemon struct {
	// SHA256 is the hash of the program, in lower-case hex.
	SHA256               string
	Version, Description *string
	// Enabled is false for a binary that is known and refused.
	Enabled bool
	Created time.Time
}

func (r allowedDaemonRow) daemon() AllowedDaemon {
	return AllowedDaemon{
		SHA256: r.SHA256, Version: r.Version, Description: r.Description, Enabled: r.Enabled, Created: nanos(r.Created),
	}
}

// AllowedDaemons returns the allowlist, newest first.
func (v *Vault) AllowedDaemons(ctx context.Context, by access.Caller) (all []AllowedDaemon, err error) {
	all, _, err = v.AllowedDaemonsPage(ctx, by, Page{})
	return all, err
}

// AllowedDaemonsPage returns a part of what AllowedDaemons does, and the position to
// go on after, empty at the end. It reads no more than the part.
func (v *Vault) AllowedDaemonsPage(ctx context.Context, by access.Caller, p Page) (part []AllowedDaemon, next string, err error) {
	err = v.look(ctx, by, access.ListAllowedDaemons, func(o *op) error {
		rows, n, err := ordered(o, allowedDaemonsInOrder, "", p, func(allowedDaemonRow) bool { return true })
		part, next = convert(rows, allowedDaemonRow.daemon), n
		return err
	})
	return part, next, err
}

// AllowDaemon puts a binary on the allowlist, enabled or not, which is in force
// from the first one on. d.Created is not used. A hash that is listed is
// [ErrExists].
func (v *Vault) AllowDaemon(ctx context.Context, by access.Caller, d AllowedDaemon) (AllowedDaemon, error) {
	sha := strings.ToLower(strings.TrimSpace(d.SHA256))
	if b, err := hex.DecodeString(sha); err != nil || len(b) != 32 {
		return AllowedDaemon{}, invalid("binary_sha256", "must be 64 hex digits")
	}
	if err := checkLine("version", d.Version, maxVersion); err != nil {
		return AllowedDaemon{}, err
	}
	if err := checkText("description", d.Description, maxDescription); err != nil {
		return AllowedDaemon{}, err
	}
	var out AllowedDaemon
	err := v.do(ctx, by, record{action: access.AllowDaemon, resource: sha}, func(o *op) error {
		if err := o.within(""); err != nil {
			return err
		}
		row := allowedDaemonRow{
			SHA256: sha, Version: d.Version, Description: d.Description, Enabled: d.Enabled, Created: o.now.UnixNano(),
		}
		out = row.daemon()
		o.record.about(sha, map[bool]string{true: "enabled", false: "disabled"}[d.Enabled])
		o.tellResync()
		return allowedDaemons.Insert(o.Tx, row)
	})
	return out, err
}

// DisallowDaemon takes a binary off the allowlist.
func (v *Vault) DisallowDaemon(ctx context.Context, by access.Caller, sha string) error {
	return v.do(ctx, by, record{action: access.DisallowDaemon, resource: sha}, func(o *op) error {
		if err := o.within(""); err != nil {
			return err
		}
		o.tellResync()
		return allowedDaemons.Delete(o.Tx, store.Key(sha))
	})
}
