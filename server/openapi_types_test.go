package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
)

// The objects of docs/openapi.yaml are the types of package api: of the same
// names, with the same members, and those that are always there are required.
func TestDescriptionHasTheTypes(t *testing.T) {
	types, schemas := wireTypes(t), map[string]object{}
	for name, s := range readDescription(t).children("#/components", "schemas") {
		if s.object["properties"] != nil {
			schemas[name] = s.object
		}
	}
	wantSame(t, "type", schemas, types)
	for name, fields := range types {
		members, _ := schemas[name]["properties"].(object)
		wantSame(t, "member of "+name, members, fields)
		required, _ := schemas[name]["required"].([]any)
		for field, always := range fields {
			if always && !slices.Contains(required, any(field)) {
				t.Errorf("%s.%s is not required, but always there", name, field)
			}
		}
	}
}

// Every error code is described, but for one that only older servers send.
func TestDescriptionHasTheCodes(t *testing.T) {
	described, there := map[string]bool{}, map[string]bool{}
	for _, code := range readDescription(t).follow("#/components/schemas/ErrorCode").object["enum"].([]any) {
		described[code.(string)] = true
	}
	inspectWire(t, func(n ast.Node) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return
		}
		if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Code" {
			there[unquoted(t, spec.Values[0].(*ast.BasicLit))] = true
		}
	})
	delete(there, string(api.ProjectNoAgentBinding))
	wantSame(t, "code", described, there)
}

// wireTypes returns the structs of package api by name, and for each member on
// the wire whether it is always there.
func wireTypes(t *testing.T) map[string]map[string]bool {
	t.Helper()
	found := map[string]map[string]bool{}
	inspectWire(t, func(n ast.Node) {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !spec.Name.IsExported() {
			return
		}
		if members := wireMembers(t, spec); len(members) > 0 {
			found[spec.Name.Name] = members
		}
	})
	return found
}

// inspectWire shows the source of package api to fn.
func inspectWire(t *testing.T, fn func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob("api/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			fn(n)
			return true
		})
	}
}

func unquoted(t *testing.T, l *ast.BasicLit) string {
	t.Helper()
	text, err := strconv.Unquote(l.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wireMembers(t *testing.T, spec *ast.TypeSpec) map[string]bool {
	t.Helper()
	members := map[string]bool{}
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, f := range fields.Fields.List {
		if f.Tag == nil {
			continue
		}
		name, options, _ := strings.Cut(reflect.StructTag(unquoted(t, f.Tag)).Get("json"), ",")
		if name != "-" {
			members[name] = options == ""
		}
	}
	return members
}
