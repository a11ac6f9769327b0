package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// export returns an export, what it says, and what was wrong with it.
func export(t *testing.T, v *Vault, since, until time.Time) (text []byte, x *audit.ExportReader, rows []audit.Entry, err error) {
	t.Helper()
	made, err := v.ExportAudit(t.Context(), testAdmin, since, until)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	var out bytes.Buffer
	werr := made.WriteTo(t.Context(), &out)
	x, err = audit.NewExportReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for r, err := range x.Records() {
		if err != nil {
			if werr == nil {
				t.Errorf("the reader says %v, the writer nothing", err)
			}
			return out.Bytes(), x, rows, err
		}
		e, err := r.Entry()
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, e)
	}
	if werr != nil {
		t.Errorf("the writer says %v, the reader nothing", werr)
	}
	return out.Bytes(), x, rows, nil
}

// An export has a run of records and says where it begins and ends, over many
// pieces, from the middle too.
func TestExportAudit(t *testing.T) {
	v, _, _ := newTestVault(t)
	crowd(t, v, exportLooks+100)
	from := time.Now()
	crowd(t, v, 1000)
	to := time.Now()
	crowd(t, v, 10)
	head := func() uint64 {
		report, err := v.VerifyAudit(t.Context())
		if err != nil || report.Broken != nil {
			t.Fatalf("%+v, %v", report, err)
		}
		return report.Last
	}
	end := head()
	for name, c := range map[string]struct {
		since, until time.Time
		first, last  uint64 // 0: that of the export itself
	}{
		"all":         {time.Time{}, time.Time{}, 1, 0},
		"since":       {from, time.Time{}, end - 1009, 0},
		"until":       {time.Time{}, to, 1, end - 10},
		"both":        {from, to, end - 1009, end - 10},
		"of no time":  {to, to, end - 9, end - 10},
		"before all":  {time.Time{}, from.Add(-time.Hour), 1, 0},
		"from future": {time.Now().Add(time.Hour), time.Time{}, 0, 0},
	} {
		_, x, rows, err := export(t, v, c.since, c.until)
		own := head()
		first, last := c.first, c.last
		switch name {
		case "from future":
			first, last = own+1, own
		default:
			if last == 0 && name != "before all" {
				last = own
			}
		}
		if err != nil || x.Header.After.Seq != first-1 || x.End.End.Seq != last || x.End.Rows != last+1-first || uint64(len(rows)) != x.End.Rows {
			t.Errorf("%s: after %d, end %+v, %d rows, %v; want %d to %d", name, x.Header.After.Seq, x.End, len(rows), err, first, last)
		}
		if x.Header.VaultID != v.ID() || (x.Header.After.Seq == 0) != (x.Header.After.RowHash == [32]byte{}) {
			t.Errorf("%s: header %+v", name, x.Header)
		}
		for i, e := range rows {
			if e.Seq != first+uint64(i) {
				t.Fatalf("%s: row %d is %d", name, i, e.Seq)
			}
		}
	}
}

// What is wrong with the trail ends an export, and is said in it.
func TestExportOfBrokenTrail(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(all []store.Record) []store.Record
		want  string
	}{
		"a gap":     {func(all []store.Record) []store.Record { return append(all[:2:2], all[3:]...) }, "record 3: missing; record 4"},
		"a change":  {func(all []store.Record) []store.Record { all[2].Value[30] ^= 1; return all }, "record 3: content"},
		"no record": {func(all []store.Record) []store.Record { all[2].Value = []byte("?"); return all }, "record 3: malformed"},
		"the first": {func(all []store.Record) []store.Record { all[0].Value = []byte("?"); return all }, "record 1: malformed"},
		"a forgery": {func(all []store.Record) []store.Record { return forge(t, all) }, `record 2: MAC does not match`},
	} {
		t.Run(name, func(t *testing.T) {
			v, db, _ := newTestVault(t)
			crowd(t, v, 4)
			var all []store.Record
			edit(t, db, func(tx *store.Tx) (err error) { all, err = gather(entries.All(tx, 0)); return err })
			all = c.spoil(all[: len(all)-1 : len(all)-1])
			edit(t, db, func(tx *store.Tx) error {
				last, value, _, err := entries.Last(tx)
				if err != nil {
					return err
				}
				if _, err := entries.DeleteThrough(tx, last, 1<<20); err != nil {
					return err
				}
				for _, r := range append(all, store.Record{Seq: last, Value: value}) {
					if err := entries.Append(tx, r.Seq, r.Value); err != nil {
						return err
					}
				}
				return nil
			})
			text, _, _, err := export(t, v, time.Time{}, time.Time{})
			e, ok := errors.AsType[*audit.ExportError](err)
			if !ok || !strings.HasPrefix(e.Why, c.want) {
				t.Errorf("got %v, want %s\n%s", err, c.want, text)
			}
		})
	}
}

// forge writes the second record anew, with a right hash and the old MAC.
func forge(t *testing.T, all []store.Record) []store.Record {
	t.Helper()
	r, err := audit.ParseRecord(all[1].Value)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Entry()
	if err != nil {
		t.Fatal(err)
	}
	e.Action = "nothing"
	forged, _, err := audit.Link(noKey{}, audit.Head{Seq: 1, RowHash: r.PrevHash}, e)
	if err != nil {
		t.Fatal(err)
	}
	forged.KID = r.KID
	all[1].Value = forged.Marshal()
	return all
}

type noKey struct{}

func (noKey) KID() string                               { return "" }
func (noKey) AuditTag(string, ...[]byte) (tag [32]byte) { return tag }

// One at a time, not for everybody, and never of a sealed vault.
func TestExportRefused(t *testing.T) {
	v, _, _ := newTestVault(t)
	x, err := v.ExportAudit(t.Context(), testAdmin, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.ExportAudit(t.Context(), testAdmin, time.Time{}, time.Time{}); !errors.Is(err, ErrTooMany) {
		t.Errorf("a second: %v", err)
	}
	x.Close()
	confined := access.Caller{Kind: access.Admin, Role: access.Auditor, Name: "carla", Namespaces: []string{"team"}}
	approver := access.Caller{Kind: access.Admin, Role: access.Approver, Name: "ann"}
	for _, by := range []access.Caller{confined, approver, {}} {
		if _, err := v.ExportAudit(t.Context(), by, time.Time{}, time.Time{}); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", by.Name, err)
		}
	}
	if x, err = v.ExportAudit(t.Context(), testAdmin, time.Time{}, time.Time{}); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := v.Seal(t.Context(), testAdmin); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := x.WriteTo(t.Context(), &out); !errors.Is(err, ErrSealed) || !strings.HasSuffix(out.String(), `{"error":"the vault is sealed"}`+"\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// Sealing does not wait for whoever reads slowly, and the export of before it
// goes on after it.
func TestExportDoesNotHoldTheVault(t *testing.T) {
	v, _, _ := newTestVault(t)
	crowd(t, v, 1000)
	x, err := v.ExportAudit(t.Context(), testAdmin, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	sealed := false
	err = x.WriteTo(t.Context(), writer(func(b []byte) (int, error) {
		if !sealed {
			sealed = true
			if err := errors.Join(v.Seal(context.Background(), testAdmin), v.Unseal(context.Background(), testPassword())); err != nil {
				return 0, fmt.Errorf("sealing meanwhile: %w", err)
			}
		}
		return len(b), nil
	}))
	if err != nil {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
