package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func bulk(v *vault.Vault, t *testing.T, text string, b vault.Bulk) (vault.BulkResult, error) {
	t.Helper()
	b.Content = opaque.New([]byte(text))
	if b.Format == "" {
		b.Format = vault.BulkDotenv
	}
	return v.KeepSecrets(t.Context(), vaulttest.Admin, b)
}

// diff writes a result in one line.
func diff(r vault.BulkResult) string {
	return fmt.Sprintf("+%v ~%v =%v -%v !%v ?%v", r.Created, r.Updated, r.Unchanged, r.Skipped, r.Conflicts, r.Invalid)
}

// paths lists what there is.
func paths(t *testing.T, v *vault.Vault) string {
	t.Helper()
	all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range all {
		text, err := value(t, v, s.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s:%s@%d", s.Path, text, s.Version))
	}
	return strings.Join(out, " ")
}

func TestBulk(t *testing.T) {
	v := vaulttest.New(t)
	const first = "# a comment\nexport DB_HOST=h1\r\nDB_PASSWORD=\"a b\\n#c\"\nEMPTY=\n"
	in := vault.Bulk{Prefix: "app/", Lowercase: true}
	dry := in
	dry.DryRun = true
	for _, b := range []vault.Bulk{dry, in} {
		r, err := bulk(v, t, first, b)
		if got := diff(r); err != nil || got != "+[app/db_host app/db_password app/empty] ~[] =[] -[] ![] ?[]" {
			t.Errorf("%s, %v", got, err)
		}
	}
	if got := paths(t, v); got != "app/db_host:h1@1 app/db_password:a b\n#c@1 app/empty:@1" {
		t.Errorf("kept %q", got)
	}

	const second = "DB_HOST=h2\nDB_PASSWORD='a b\n"
	if _, err := bulk(v, t, second, in); err == nil || strings.Contains(err.Error(), "a b") {
		t.Errorf("half a quote: %v", err)
	}
	const third = "DB_HOST=h2\nEMPTY=\nNEW=n\n"
	dry.OnConflict = vault.ConflictFail
	r, err := bulk(v, t, third, dry)
	if got := diff(r); err != nil || got != "+[app/new] ~[] =[app/empty] -[] ![app/db_host] ?[]" {
		t.Errorf("%s, %v", got, err)
	}
	_, err = bulk(v, t, third, in)
	want(t, err, vault.ErrExists)
	if got := paths(t, v); strings.Contains(got, "new") || strings.Contains(got, "h2") {
		t.Errorf("a refusal left %q", got)
	}
	for _, c := range []struct{ conflict, want string }{
		{vault.ConflictSkip, "+[app/new] ~[] =[app/empty] -[app/db_host] ![] ?[]"},
		{vault.ConflictUpdate, "+[] ~[app/db_host] =[app/empty app/new] -[] ![] ?[]"},
		{vault.ConflictUpdate, "+[] ~[] =[app/db_host app/empty app/new] -[] ![] ?[]"}, // again
	} {
		in.OnConflict = c.conflict
		r, err := bulk(v, t, third, in)
		if got := diff(r); err != nil || got != c.want {
			t.Errorf("%s: %s, %v", c.conflict, got, err)
		}
	}
	if got := paths(t, v); got != "app/db_host:h2@2 app/db_password:a b\n#c@1 app/empty:@1 app/new:n@1" {
		t.Errorf("kept %q", got)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 6})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Action == "import_secrets" && strings.Contains(decisions(r), "app/db_host=updated") {
			if got := decisions(r); got != "default=namespace=default app/db_host=updated app/empty=unchanged app/new=unchanged" {
				t.Errorf("recorded %s", got)
			}
		}
	}
	intact(t, v)
}

func TestBulkJSON(t *testing.T) {
	v := vaulttest.New(t)
	const text = `{"a": "t\u00e9xt", "config": {"x": [1]}, "list": [ ]}`
	r, err := bulk(v, t, text, vault.Bulk{Format: vault.BulkJSON, Namespace: "new"})
	if got := diff(r); err != nil || got != "+[a config list] ~[] =[] -[] ![] ?[]" {
		t.Fatalf("%s, %v", got, err)
	}
	if got := paths(t, v); got != `a:téxt@1 config:{"x": [1]}@1 list:[ ]@1` {
		t.Errorf("kept %q", got)
	}
	all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{Type: vault.JSONConfig, Namespace: "new"})
	if err != nil || len(all) != 2 {
		t.Errorf("got %+v, %v", all, err)
	}
}

// A dry run says what is wrong with each; in earnest any of it refuses all.
func TestBulkInvalid(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	other := keep(t, v, "other", "shared", "v")
	keep(t, v, "", "plain", "v")
	if _, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "trap", Type: vault.KeyValue, Value: opaque.New([]byte("v")), Honey: true}); err != nil {
		t.Fatal(err)
	}
	share(t, v, other.ID, "default", "shared")
	const text = `{"good":"x","n":1,"t":true,"z":null,"a b":"x","<script>":"x","\u202eevil":"x","..":"x","nul":"a\u0000b",
		"Same":"1","same":"2","shared":"x","trap":"x","plain":{}}`
	dry := vault.Bulk{Format: vault.BulkJSON, DryRun: true, Lowercase: true, OnConflict: vault.ConflictUpdate}
	r, err := bulk(v, t, text, dry)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{}
	for _, p := range r.Invalid {
		bad[p.Name] = p.Reason
	}
	for _, name := range []string{"n", "t", "z", `"a b"`, `"<script>"`, `"\u202eevil"`, `".."`, "nul", "same", "shared", "trap", "plain"} {
		if bad[name] == "" {
			t.Errorf("nothing wrong with %s in %v", name, bad)
		}
	}
	if len(r.Created) != 2 || len(bad) != 12 {
		t.Errorf("got %s", diff(r))
	}
	before := paths(t, v)
	inEarnest := dry
	inEarnest.DryRun = false
	_, err = bulk(v, t, text, inEarnest)
	wantInvalid(t, err, "content")
	if after := paths(t, v); after != before {
		t.Errorf("a refusal left %q", after)
	}
	// Skipping leaves alone what is there, whatever it is.
	r, err = bulk(v, t, `{"shared":"x","trap":"x","plain":{}}`, vault.Bulk{Format: vault.BulkJSON, OnConflict: vault.ConflictSkip})
	if got := diff(r); err != nil || got != "+[] ~[] =[] -[plain shared trap] ![] ?[]" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestBulkRefuses(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	many := strings.Builder{}
	for i := range vault.MaxBulk + 1 {
		fmt.Fprintf(&many, "K%d=v\n", i)
	}
	for name, c := range map[string]struct {
		text  string
		in    vault.Bulk
		field string
	}{
		"too many":          {many.String(), vault.Bulk{}, "content"},
		"format":            {"A=1", vault.Bulk{Format: "yaml"}, "format"},
		"conflict":          {"A=1", vault.Bulk{OnConflict: "merge"}, "on_conflict"},
		"prefix":            {"A=1", vault.Bulk{Prefix: "../"}, "prefix"},
		"namespace":         {"A=1", vault.Bulk{Namespace: "a b"}, "namespace"},
		"no separator":      {"A=1\nhush-hush\n", vault.Bulk{}, "content"},
		"twice":             {"A=1\nexport A=2\n", vault.Bulk{}, "content"},
		"long line":         {"A=" + strings.Repeat("x", 1<<17), vault.Bulk{}, "content"},
		"not UTF-8":         {"A\xff=1", vault.Bulk{}, "content"},
		"value not UTF-8":   {"A=\xff", vault.Bulk{}, "content"},
		"JSON":              {"A=1", vault.Bulk{Format: vault.BulkJSON}, "content"},
		"JSON twice":        {`{"a":"1","a":"2"}`, vault.Bulk{Format: vault.BulkJSON}, "content"},
		"JSON list":         {`["a"]`, vault.Bulk{Format: vault.BulkJSON}, "content"},
		"JSON, half a pair": {`{"a":"\ud800"}`, vault.Bulk{Format: vault.BulkJSON}, "content"},
	} {
		_, err := bulk(v, t, c.text, c.in)
		if err == nil {
			t.Errorf("%s: it works", name)
		}
		wantInvalid(t, err, c.field)
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the error quotes the text: %v", name, err)
		}
	}
	if got := paths(t, v); got != "" {
		t.Errorf("kept %q", got)
	}
	if all, err := v.Namespaces(ctx, admin); err != nil || len(all) != 1 {
		t.Errorf("made a namespace: %v, %v", all, err)
	}
	confined := admin
	confined.Role, confined.Namespaces = "admin", []string{"team"}
	_, err := v.KeepSecrets(ctx, confined, vault.Bulk{Format: vault.BulkDotenv, Content: opaque.New([]byte("A=1"))})
	want(t, err, vault.ErrDenied)
}

// A thousand with the longest paths fit into one record.
func TestBulkIsOneRecord(t *testing.T) {
	v := vaulttest.New(t)
	text := strings.Builder{}
	prefix := strings.Repeat("p", 500)
	for i := range vault.MaxBulk {
		fmt.Fprintf(&text, "K%010d=v\n", i)
	}
	r, err := bulk(v, t, text.String(), vault.Bulk{Prefix: prefix + "/"})
	if err != nil || len(r.Created) != vault.MaxBulk {
		t.Fatalf("%d created, %v", len(r.Created), err)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 2})
	if err != nil || rows[0].Action != "import_secrets" || len(rows[0].Resources) != vault.MaxBulk+1 || rows[1].Action == "import_secrets" {
		t.Errorf("recorded %d things of %s: %v", len(rows[0].Resources), rows[0].Action, err)
	}
	intact(t, v)
}

// FuzzBulk: whatever the text, what is kept comes back when it is asked for by
// what the dry run called its path, and a second time nothing is left to do.
func FuzzBulk(f *testing.F) {
	v := vaulttest.New(f)
	for _, text := range []string{"A=1\n", "export A='x'\n#\nB=\"\\u00e9\"", "A", "=", `{"a":"b","c":{"d":1}}`, `{"a":"\u0000"}`, "\xef\xbb\xbfA=1", "A=1\nA=2", "A =\t1 # c"} {
		for _, format := range []string{vault.BulkDotenv, vault.BulkJSON} {
			f.Add(text, format)
		}
	}
	f.Fuzz(func(t *testing.T, text, format string) {
		b := vault.Bulk{Format: format, Prefix: "p/", DryRun: true, OnConflict: vault.ConflictUpdate}
		b.Content = opaque.New([]byte(text))
		dry, err := v.KeepSecrets(t.Context(), vaulttest.Admin, b)
		if err != nil {
			return
		}
		b.DryRun = false
		b.Content = opaque.New([]byte(text))
		done, err := v.KeepSecrets(t.Context(), vaulttest.Admin, b)
		if (err == nil) != (len(dry.Invalid) == 0) {
			t.Fatalf("dry run %s, then %v", diff(dry), err)
		}
		if err != nil {
			return
		}
		if diff(done) != diff(dry) {
			t.Fatalf("dry run %s, then %s", diff(dry), diff(done))
		}
		b.Content = opaque.New([]byte(text))
		again, err := v.KeepSecrets(t.Context(), vaulttest.Admin, b)
		if err != nil || len(again.Created)+len(again.Updated) > 0 {
			t.Fatalf("again %s, %v", diff(again), err)
		}
	})
}
