package vault

import (
	"go/ast"
	"go/parser"
	"go/token"
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
