package vault

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A counter counts the rows and index entries that are read: each has its tag
// checked.
type counter struct {
	store.MAC
	reads int
}

func (c *counter) RowTag(bucket string, key, body []byte) [32]byte {
	c.reads++
	return c.MAC.RowTag(bucket, key, body)
}

// A page of a list that can grow costs what the page holds, and page by page the
// list is the whole one.
func TestPagesReadNoMore(t *testing.T) {
	const rows, limit = 200, 5
	v := New(Config{DB: storetest.New(t), Params: keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}})
	if err := v.Init(t.Context(), opaque.New([]byte("operator password"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	fill(t, v, rows)
	by := access.Caller{Kind: access.Admin, Role: access.Super, Name: "admin"}
	ctx := context.Background()
	for name, list := range map[string]struct {
		whole func() ([]string, error)
		page  func(Page) ([]string, string, error)
	}{
		"agents": {
			func() ([]string, error) { return ids(func(a Agent) string { return a.ID })(v.Agents(ctx, by, "")) },
			func(p Page) ([]string, string, error) {
				return idsOf(func(a Agent) string { return a.ID })(v.AgentsPage(ctx, by, "", p))
			},
		},
		"projects": {
			func() ([]string, error) {
				return ids(func(p Project) string { return p.Name })(v.Projects(ctx, by, ""))
			},
			func(p Page) ([]string, string, error) {
				return idsOf(func(p Project) string { return p.Name })(v.ProjectsPage(ctx, by, "", p))
			},
		},
		"devices": {
			func() ([]string, error) { return ids(func(d Device) string { return d.ID })(v.Devices(ctx, by)) },
			func(p Page) ([]string, string, error) {
				return idsOf(func(d Device) string { return d.ID })(v.DevicesPage(ctx, by, p))
			},
		},
		"sessions": {
			func() ([]string, error) { return ids(func(s Session) string { return s.ID })(v.Sessions(ctx, by)) },
			func(p Page) ([]string, string, error) {
				return idsOf(func(s Session) string { return s.ID })(v.SessionsPage(ctx, by, p))
			},
		},
		"pending grants": {
			func() ([]string, error) {
				return ids(func(g PendingGrant) string { return g.ID })(v.PendingGrants(ctx, by))
			},
			func(p Page) ([]string, string, error) {
				return idsOf(func(g PendingGrant) string { return g.ID })(v.PendingGrantsPage(ctx, by, "", p))
			},
		},
		"grants": {
			func() ([]string, error) {
				return ids(func(g ProjectGrant) string { return g.ID })(v.ProjectGrants(ctx, by, "", "app"))
			},
			func(p Page) ([]string, string, error) {
				return idsOf(func(g ProjectGrant) string { return g.ID })(v.ProjectGrantsPage(ctx, by, "", "app", p))
			},
		},
		"policies": {
			func() ([]string, error) { return ids(func(p Policy) string { return p.ID })(v.Policies(ctx, by)) },
			func(p Page) ([]string, string, error) {
				return idsOf(func(p Policy) string { return p.ID })(v.PoliciesPage(ctx, by, p))
			},
		},
		"namespaces": {
			func() ([]string, error) {
				return ids(func(n Namespace) string { return n.Name })(v.Namespaces(ctx, by))
			},
			func(p Page) ([]string, string, error) {
				return idsOf(func(n Namespace) string { return n.Name })(v.NamespacesPage(ctx, by, p))
			},
		},
		"allowed daemons": {
			func() ([]string, error) {
				return ids(func(d AllowedDaemon) string { return d.SHA256 })(v.AllowedDaemons(ctx, by))
			},
			func(p Page) ([]string, string, error) {
				return idsOf(func(d AllowedDaemon) string { return d.SHA256 })(v.AllowedDaemonsPage(ctx, by, p))
			},
		},
	} {
		whole, err := list.whole()
		if err != nil || len(whole) != rows {
			t.Fatalf("%s: %d, %v", name, len(whole), err)
		}
		var all []string
		count := &counter{MAC: v.keys.row}
		v.db.SetMAC(count) // and nothing is remembered
		for p := (Page{Limit: limit}); ; {
			before := count.reads
			part, next, err := list.page(p)
			if err != nil {
				t.Fatal(err)
			}
			// An entry and a row each, one to see whether there is more, and
			// what else a row's answer takes.
			if read := count.reads - before; read > 4*(limit+1) {
				t.Fatalf("%s: a page of %d reads %d rows and entries", name, limit, read)
			}
			if all, p.After = append(all, part...), next; next == "" {
				break
			}
		}
		v.db.SetMAC(v.keys.row)
		if !slices.Equal(all, whole) {
			t.Errorf("%s: page by page\n%v, whole\n%v", name, all, whole)
		}
	}
}

func ids[R any](id func(R) string) func([]R, error) ([]string, error) {
	return func(rows []R, err error) ([]string, error) { return convert(rows, id), err }
}

func idsOf[R any](id func(R) string) func([]R, string, error) ([]string, string, error) {
	return func(rows []R, next string, err error) ([]string, string, error) { return convert(rows, id), next, err }
}

// fill writes n rows for each list, several of which are of one moment.
func fill(t *testing.T, v *Vault, n int) {
	t.Helper()
	began := time.Now().UnixNano()
	if err := v.db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			name, at := fmt.Sprintf("n%d", (i*37)%n), began+int64(i/3)
			for _, err := range []error{
				agents.Insert(tx, agentRow{ID: name, AgentID: name, Namespace: "default", Created: at}),
				projects.Insert(tx, projectRow{ID: name, Namespace: "default", Name: name, Created: at}),
				devices.Insert(tx, deviceRow{ID: name, Status: deviceApproved, Created: at}),
				sessions.Insert(tx, sessionRow{ID: name, Agent: name, Namespace: "default", Created: at}),
				grants.Insert(tx, grantRow{ID: name, Namespace: "default", Project: "app", SecretID: name, Variable: name, Created: at}),
				grants.Insert(tx, grantRow{ID: "of another " + name, Namespace: "default", Project: "app2", SecretID: name, Variable: name, Created: at}),
				policies.Insert(tx, policyRow{ID: name, Name: name, Created: at}),
				allowedDaemons.Insert(tx, allowedDaemonRow{SHA256: name, Created: at}),
				pendings.Insert(tx, pendingRow{ID: name, Agent: name, Namespace: "default", Project: name, Status: "denied", Requested: at}),
			} {
				if err != nil {
					return err
				}
			}
			if i == 0 { // the default namespace is there
				continue
			}
			if err := namespaces.Insert(tx, namespaceRow{Name: name, Created: at}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
