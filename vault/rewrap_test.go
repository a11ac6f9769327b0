package vault

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A row with an envelope that no rotation wraps anew is lost with the old KEK.
func TestEverySealedBucketIsRotated(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string]bool{}
	inspect := func(n ast.Node) bool {
		if call, ok := n.(*ast.SelectorExpr); ok && call.Sel.Name == "NewPlain" {
			holders["wraps by themselves"] = true
		}
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, f := range s.Fields.List {
			if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Envelope" {
				holders[spec.Name.Name] = true
			}
		}
		return true
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, inspect)
	}
	if len(holders) < 4 || len(holders) != len(sealedBuckets) {
		t.Errorf("rows with an envelope: %v; buckets that are rotated: %d", holders, len(sealedBuckets))
	}
}

// Each version has its wrap and each wrap its version, whatever became of others.
func TestValuesAndTheirWraps(t *testing.T) {
	v, db, made := newTestVault(t)
	ctx := t.Context()
	if _, err := v.UpdateSecret(ctx, testAdmin, made[0].ID, SecretChange{MaxVersions: 2}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		value := opaque.New([]byte{byte('a' + i)})
		if _, err := v.UpdateSecret(ctx, testAdmin, made[0].ID, SecretChange{Value: &value}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.RollbackSecret(ctx, testAdmin, made[0].ID, Rollback{Version: 4}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.DestroySecret(ctx, testAdmin, made[1].ID); err != nil {
		t.Fatal(err)
	}
	var values, wraps []store.Key
	err := db.View(ctx, func(tx *store.Tx) error {
		for r, err := range secretValues.All(tx, "") {
			if err != nil {
				return err
			}
			values = append(values, r.Key())
			if id, version := splitValueKey(r.Key()); id != r.ID || version != r.Version {
				t.Errorf("%q is of %s, %d", r.Key(), id, version)
			}
		}
		for e, err := range secretWraps.From(tx, "") {
			if err != nil {
				return err
			}
			wraps = append(wraps, e.Key)
		}
		return nil
	})
	if err != nil || len(values) != 2 || !slices.Equal(values, wraps) {
		t.Errorf("values %q, wraps %q, %v", values, wraps, err)
	}
}

// What somebody wrote into the bucket that has no tags does not hold a rotation up:
// what nothing needs goes, and a value whose key does not open is lost, and named.
func TestRotationPassesOverWhatDoesNotOpen(t *testing.T) {
	v, db, made := newTestVault(t)
	ctx := t.Context()
	var log bytes.Buffer
	v.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	garbage := func(version uint32) []byte {
		return append(binary.BigEndian.AppendUint32(nil, version), bytes.Repeat([]byte{0x11}, 60)...)
	}
	edit(t, db, func(tx *store.Tx) error {
		return errors.Join(
			secretWraps.Put(tx, valueKey("zzzz", 1), garbage(1)),
			secretWraps.Put(tx, "\xff", garbage(7)),
			secretWraps.Put(tx, "short", []byte{1}),
			secretWraps.Put(tx, valueKey(made[0].ID, 1), garbage(1)),
		)
	})
	if _, err := v.RotateKEK(ctx, testAdmin, opaque.New([]byte("next")), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	if err := v.FinishRotation(ctx); err != nil {
		t.Fatal(err)
	}
	r, err := v.Rotation(ctx, testAdmin)
	if err != nil || r.Finished == nil || r.Unopened != 1 || !strings.Contains(r.Problem, made[0].ID) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, value, err := v.ReadSecret(ctx, testAdmin, made[1].ID); err != nil || string(value.Reveal()) != "value of b" {
		t.Errorf("the other secret: %v", err)
	}
	if _, _, err := v.ReadSecret(ctx, testAdmin, made[0].ID); err == nil {
		t.Error("the lost one opens")
	}
	for _, want := range []string{"row=" + made[0].ID, "keys=3"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, &log)
		}
	}
	var left int
	edit(t, db, func(tx *store.Tx) error {
		left = 0
		for range secretWraps.From(tx, "") {
			left++
		}
		return nil
	})
	if left != 2 {
		t.Errorf("%d wraps of two values", left)
	}
	records, _, err := v.AuditLog(ctx, testAdmin, AuditQuery{Action: "rotate_kek", Limit: 1})
	if err != nil || !strings.Contains(fmt.Sprint(records), "1 lost because") {
		t.Errorf("recorded %v, %v", records, err)
	}
	// Once it is destroyed, the next one has nothing to say.
	if _, err := v.DestroySecret(ctx, testAdmin, made[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.RotateKEK(ctx, testAdmin, opaque.New([]byte("third")), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	if err := v.FinishRotation(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := v.Rotation(ctx, testAdmin); err != nil || r.Finished == nil || r.Unopened != 0 || r.Problem != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// Whoever waits for a rotation that does not get on reads why, until it does.
func TestRotationSaysWhyItDoesNotGetOn(t *testing.T) {
	v, db, _ := newTestVault(t)
	ctx := t.Context()
	if _, err := v.RotateKEK(ctx, testAdmin, opaque.New([]byte("next")), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	var count wrapRow
	edit(t, db, func(tx *store.Tx) (err error) {
		count, err = wraps.Get(tx, wrapKey)
		return errors.Join(err, wraps.Delete(tx, wrapKey))
	})
	if err := v.FinishRotation(ctx); err == nil {
		t.Error("it got on")
	}
	if r, err := v.Rotation(ctx, testAdmin); err != nil || r.Finished != nil || !strings.Contains(r.Problem, "wrap count") {
		t.Errorf("%+v, %v", r, err)
	}
	edit(t, db, func(tx *store.Tx) error { return wraps.Put(tx, count) })
	if err := v.FinishRotation(ctx); err != nil {
		t.Error(err)
	}
	if r, err := v.Rotation(ctx, testAdmin); err != nil || r.Finished == nil || r.Problem != "" {
		t.Errorf("%+v, %v", r, err)
	}
}
