package vault

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"strconv"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// MaxBulk is how many secrets can be kept at once.
const MaxBulk = 1000

// The forms of many secrets at once.
const (
	// BulkDotenv is a .env file: each NAME=value is a KEY_VALUE secret.
	BulkDotenv = "dotenv"
	// BulkJSON is an object: a text is a KEY_VALUE secret, an object or array a
	// JSON_CONFIG.
	BulkJSON = "json"
)

// What becomes of a secret that is there with another value.
const (
	// ConflictFail refuses everything, with [ErrExists].
	ConflictFail = "fail"
	// ConflictSkip leaves it alone.
	ConflictSkip = "skip"
	// ConflictUpdate makes a new version of it.
	ConflictUpdate = "update"
)

// A Bulk is many secrets at once.
type Bulk struct {
	// Format is BulkDotenv or BulkJSON, Content a text of it.
	Format  string
	Content opaque.Bytes
	// Namespace is made if need be. If empty, the default one.
	Namespace string
	// Prefix is put before each name to make its path. Lowercase writes the
	// name in lower case there.
	Prefix    string
	Lowercase bool
	// OnConflict is one of the Conflict constants. If empty, ConflictFail.
	OnConflict string
	// DryRun changes nothing, and says what would become of each.
	DryRun bool
}

// A BulkResult says what became of each secret, by path. It tells nothing of
// values but whether two are the same.
type BulkResult struct {
	Created, Updated, Unchanged, Skipped []string
	// Conflicts are those that ConflictFail refuses, and Invalid those that
	// cannot be kept. There are some in dry runs only.
	Conflicts []string
	Invalid   []BulkProblem
}

// A BulkProblem says why an entry cannot be kept.
type BulkProblem struct {
	// Name is the entry's as it was written; in quotes where it has characters
	// that might not show.
	Name string
	// Reason completes the sentence "<Name> …".
	Reason string
}

func (b Bulk) validate() error {
	if err := checkName("namespace", namespaceOr(b.Namespace)); err != nil {
		return err
	}
	if b.Prefix != "" {
		if err := checkPath("prefix", b.Prefix); err != nil {
			return err
		}
	}
	if !slices.Contains([]string{"", ConflictFail, ConflictSkip, ConflictUpdate}, b.OnConflict) {
		return invalid("on_conflict", "must be fail, skip or update")
	}
	return nil
}

// KeepSecrets keeps many secrets: all that is asked for, or nothing. An entry that
// cannot be kept is an [InvalidError], and a conflict is [ErrExists]; a dry run
// says which they are. One record names every path.
func (v *Vault) KeepSecrets(ctx context.Context, by access.Caller, b Bulk) (res BulkResult, err error) {
	if err := b.validate(); err != nil {
		return BulkResult{}, err
	}
	all, err := b.entries()
	if err != nil {
		return BulkResult{}, err
	}
	defer wipeEntries(all)
	ns := namespaceOr(b.Namespace)
	err = v.do(ctx, by, record{action: access.ImportSecrets, resource: cmp.Or(b.Prefix, ns)}, func(o *op) error {
		o.record.about(ns, "namespace="+ns)
		if err := o.within(ns); err != nil {
			return err
		}
		if b.DryRun {
			o.record.about("dry run", "true")
		}
		res = BulkResult{}
		for _, e := range all {
			if err := o.keepEntry(&res, b, e); err != nil {
				return err
			}
		}
		return res.refuse(b)
	})
	if err != nil {
		return BulkResult{}, err
	}
	return res, nil
}

// refuse returns an error for what must not be kept in part.
func (r BulkResult) refuse(b Bulk) error {
	switch {
	case b.DryRun:
		return nil
	case len(r.Invalid) > 0:
		return invalid("content", "has %d entries that cannot be kept; a dry run names them", len(r.Invalid))
	case len(r.Conflicts) > 0:
		return fmt.Errorf("%w: %d of the secrets", ErrExists, len(r.Conflicts))
	}
	return nil
}

// keepEntry keeps one entry, unless it is a dry run, and says what became of it.
func (o *op) keepEntry(res *BulkResult, b Bulk, e entry) error {
	if e.problem != "" {
		o.refuseEntry(res, e)
		return nil
	}
	found, err := o.at(namespaceOr(b.Namespace), e.path)
	if isNotFound(err) {
		res.Created = append(res.Created, e.path)
		o.record.about(e.path, "created")
		return o.createEntry(b, e)
	}
	if err != nil {
		return err
	}
	if e.problem = found.mismatch(e); e.problem == "" {
		same, err := o.sameValue(found.secretRow, e.value)
		if err != nil {
			return err
		}
		if same {
			res.Unchanged = append(res.Unchanged, e.path)
			o.record.about(e.path, "unchanged")
			return nil
		}
	}
	switch {
	case b.OnConflict == ConflictSkip:
		res.Skipped = append(res.Skipped, e.path)
		o.record.about(e.path, "skipped")
	case b.OnConflict != ConflictUpdate:
		res.Conflicts = append(res.Conflicts, e.path)
		o.record.about(e.path, "conflict")
	case e.problem != "":
		o.refuseEntry(res, e)
	default:
		res.Updated = append(res.Updated, e.path)
		o.record.about(e.path, "updated")
		return o.updateEntry(b, found.secretRow, e)
	}
	return nil
}

func (o *op) refuseEntry(res *BulkResult, e entry) {
	res.Invalid = append(res.Invalid, BulkProblem{Name: shownName(e.name), Reason: e.problem})
	if proof.ValidPath(e.path) {
		o.record.about(e.path, "invalid")
	}
}

// maxShown is how much is shown of a name that is none.
const maxShown = 64

// shownName returns a name in a form that plays no tricks on whoever reads it.
func shownName(name string) string {
	if proof.ValidPath(name) {
		return name
	}
	return strconv.QuoteToASCII(name[:min(len(name), maxShown)])
}

// mismatch says why a secret cannot get the value of an entry, if it cannot.
func (p placed) mismatch(e entry) string {
	switch {
	case p.Namespace != p.in:
		return "is shared from another namespace"
	case p.Honey:
		return "is a honey secret"
	case p.Type != e.kind:
		return "is a " + string(p.Type)
	}
	return ""
}

// sameValue compares by fingerprints that nobody without the vault's key can
// make. They are made for this one comparison and kept nowhere.
func (o *op) sameValue(r secretRow, value opaque.Bytes) (bool, error) {
	current, err := o.openValue(r)
	if err != nil {
		return false, err
	}
	defer current.Wipe()
	a, b := o.keys.fingerprint(r.ID, current), o.keys.fingerprint(r.ID, value)
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1, nil
}

func (k *keys) fingerprint(id string, value opaque.Bytes) [32]byte {
	return k.index.Tag([]byte("value-fingerprint"), []byte(id), value.Reveal())
}

func (o *op) createEntry(b Bulk, e entry) error {
	if b.DryRun {
		return nil
	}
	n := NewSecret{Path: e.path, Type: e.kind, Namespace: b.Namespace}
	return o.insertSecret(n.row(o.now), content{value: e.value, message: new(bulkMessage)})
}

func (o *op) updateEntry(b Bulk, r secretRow, e entry) error {
	if b.DryRun {
		return nil
	}
	r, err := o.newVersion(r, content{value: e.value, message: new(bulkMessage)})
	if err != nil {
		return err
	}
	if err := o.prune(r); err != nil {
		return err
	}
	return secrets.Put(o.Tx, r)
}

// bulkMessage is the message of the versions made here.
const bulkMessage = "bulk"
