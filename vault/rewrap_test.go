package vault

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strings"
	"testing"
)

// A row with an envelope that no rotation wraps anew is lost with the old KEK.
func TestEverySealedBucketIsRotated(t *testing.T) {
	pkgs, err := parser.ParseDir(token.NewFileSet(), ".", func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0)
	if err != nil {
		t.Fatal(err)
	}
	holders := map[string]bool{}
	ast.Inspect(pkgs["vault"], func(n ast.Node) bool {
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
	})
	if len(holders) < 3 || len(holders) != len(sealedBuckets) {
		t.Errorf("rows with an envelope: %v; buckets that are rotated: %d", holders, len(sealedBuckets))
	}
}
