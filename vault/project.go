package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// projects are names that agents have asked for secrets under.
var (
	projects        = store.Rows[projectRow]("project")
	projectsInOrder = store.Unique(projects, "project_in_order", func(r projectRow) (store.Key, bool) {
		return oldestFirst(r.Created, r.Name, r.Namespace), true
	})
	projectsByName = store.NewMulti(projects, "project_by_name", func(r projectRow) (store.Key, bool) {
		return store.Key(r.Name), true
	})
	projectsByOwner = store.NewMulti(projects, "project_by_owner", func(r projectRow) (store.Key, bool) {
		return store.Key(r.Owner), r.Owner != ""
	})
)

type projectRow struct {
	ID        string `cbor:"1,keyasint"`
	Namespace string `cbor:"2,keyasint"`
	Name      string `cbor:"3,keyasint"`
	Owner     string `cbor:"4,keyasint,omitempty"` // row id of an agent; nobody before the first approved secret
	Created   int64  `cbor:"5,keyasint"`
}

// Key returns namespace and name.
func (r projectRow) Key() store.Key { return store.Join(r.Namespace, r.Name) }

// tokens are the bearer tokens of projects, one for each agent: the owner's,
// and those of agents that asked and were given nothing.
var (
	tokens       = store.Rows[tokenRow]("project_token").Kept()
	tokensByHash = store.Unique(tokens, "project_token_by_hash", func(r tokenRow) (store.Key, bool) {
		return store.Key(r.Hash), true
	})
	tokensByJTI = store.Unique(tokens, "project_token_by_jti", func(r tokenRow) (store.Key, bool) {
		return store.Key(r.JTI), true
	})
	tokensByAgent = store.NewMulti(tokens, "project_token_by_agent", func(r tokenRow) (store.Key, bool) {
		return store.Key(r.Agent), true
	})
)

type tokenRow struct {
	Namespace string    `cbor:"1,keyasint"`
	Project   string    `cbor:"2,keyasint"`
	Agent     string    `cbor:"3,keyasint"` // row id
	AgentID   string    `cbor:"4,keyasint"`
	Hash      string    `cbor:"5,keyasint"` // HMAC under the index key, hex
	JTI       string    `cbor:"6,keyasint"`
	Mappings  []mapping `cbor:"7,keyasint,omitempty"`
	Issued    int64     `cbor:"8,keyasint"`
	Expires   int64     `cbor:"9,keyasint"`
	Revoked   int64     `cbor:"10,keyasint,omitempty"` // 0: not
}

// A mapping is one variable and the secret it gets. It is frozen at issue: a
// secret made later under the same path is another secret.
type mapping struct {
	Env      string `cbor:"1,keyasint"` // as the agent wrote it
	Variable string `cbor:"2,keyasint"` // as the grant has it
	Path     string `cbor:"3,keyasint"`
	SecretID string `cbor:"4,keyasint"`
	Grant    string `cbor:"5,keyasint"` // row id: one that is made anew is another grant
}

// Key returns namespace, project and agent.
func (r tokenRow) Key() store.Key { return store.Join(r.Namespace, r.Project, r.Agent) }

// state returns nil for a token that is good, else [ErrTokenRevoked] or
// [ErrTokenExpired].
func (r tokenRow) state(now time.Time) error {
	switch {
	case r.Revoked != 0:
		return ErrTokenRevoked
	case r.Expires <= now.UnixNano():
		return ErrTokenExpired
	}
	return nil
}

// scope returns the paths of a token, sorted, each once.
func (r tokenRow) scope() []string {
	paths := []string{}
	for _, m := range r.Mappings {
		paths = append(paths, m.Path)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// A Project is a name that an agent has a token for.
type Project struct {
	ID, Name, Namespace string
	// Agent is the owner's id, empty while nobody owns the name.
	Agent string
	// Mappings gives the path of each variable's secret.
	Mappings map[string]string
	// Scope is the sorted paths.
	Scope   []string
	Created time.Time
	// TokenExpires and TokenRevoked are nil if there is no token, or if it was
	// not revoked.
	TokenExpires, TokenRevoked *time.Time
	// Status is "active", "expired" or "revoked".
	Status string
}

func (r projectRow) project(t *tokenRow, now time.Time) Project {
	p := Project{
		ID: r.ID, Name: r.Name, Namespace: r.Namespace, Created: nanos(r.Created),
		Mappings: map[string]string{}, Scope: []string{}, Status: statusExpired,
	}
	if t == nil {
		return p
	}
	if t.Agent == r.Owner {
		p.Agent = t.AgentID
	}
	for _, m := range t.Mappings {
		p.Mappings[m.Env] = m.Path
	}
	p.Scope, p.TokenExpires = t.scope(), new(nanos(t.Expires))
	switch t.state(now) {
	case nil:
		p.Status = "active"
	case ErrTokenRevoked:
		p.Status, p.TokenRevoked = statusRevoked, new(nanos(t.Revoked))
	}
	return p
}

// token returns the project's token to be shown: the owner's, else the newest.
func (o *op) token(r projectRow) (*tokenRow, error) {
	all, err := gather(tokens.All(o.Tx, store.Join(r.Namespace, r.Name)))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	best := slices.MaxFunc(all, func(a, b tokenRow) int {
		return cmp.Or(compareBool(a.Agent == r.Owner, b.Agent == r.Owner), cmp.Compare(a.Issued, b.Issued))
	})
	return &best, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Projects returns the projects of a namespace, of all if it is empty, oldest
// first.
func (v *Vault) Projects(ctx context.Context, by access.Caller, namespace string) (all []Project, err error) {
	err = v.look(ctx, by, access.ListProjects, func(o *op) error {
		rows, err := gather(visible(o, projects.All(o.Tx, store.Key(namespace)), func(r projectRow) string { return r.Namespace }))
		if err != nil {
			return err
		}
		all, err = o.listProjects(rows)
		return err
	})
	slices.SortFunc(all, func(a, b Project) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Name, b.Name))
	})
	return all, err
}

// ProjectsPage returns a part of what Projects does, and the position to go on
// after, empty at the end. Of all namespaces it reads no more than the part.
func (v *Vault) ProjectsPage(ctx context.Context, by access.Caller, namespace string, p Page) (part []Project, next string, err error) {
	err = v.look(ctx, by, access.ListProjects, func(o *op) (err error) {
		o.anywhere()
		var rows []projectRow
		rows, next, err = ordered(o, projectsInOrder, "", p, func(r projectRow) bool {
			return o.by.Within(r.Namespace) && (namespace == "" || r.Namespace == namespace)
		})
		if err != nil {
			return err
		}
		part, err = o.listProjects(rows)
		return err
	})
	return part, next, err
}

// listProjects says of each what token it has.
func (o *op) listProjects(rows []projectRow) ([]Project, error) {
	all := []Project{}
	for _, r := range rows {
		t, err := o.token(r)
		if err != nil {
			return nil, err
		}
		all = append(all, r.project(t, o.now))
	}
	return all, nil
}

// RevokeProject ends every token of a project at once, and reports whether
// none was left to end. Without a namespace, a name that stands in several is
// [ErrAmbiguous]. While its approval stands, an agent gets a new token by
// asking again.
func (v *Vault) RevokeProject(ctx context.Context, by access.Caller, namespace, name string) (already bool, err error) {
	err = v.do(ctx, by, record{action: access.RevokeProjectToken, project: name, resource: name}, func(o *op) error {
		row, err := o.project(namespace, name)
		if err != nil {
			return err
		}
		o.record.about(row.ID, "namespace="+row.Namespace)
		n, err := o.revokeTokens(row.Namespace, row.Name)
		already = n == 0
		return err
	})
	return already, err
}

// project finds a project by its name.
func (o *op) project(namespace, name string) (projectRow, error) {
	if namespace != "" {
		if err := checkName("namespace", namespace); err != nil {
			return projectRow{}, err
		}
		if err := checkName("project_name", name); err != nil {
			return projectRow{}, ErrNotFound
		}
		if err := o.sees(namespace); err != nil {
			return projectRow{}, err
		}
		return projects.Get(o.Tx, store.Join(namespace, name))
	}
	found, err := gather(visible(o, projectsByName.All(o.Tx, store.Key(name)), func(r projectRow) string { return r.Namespace }))
	if err != nil {
		return projectRow{}, err
	}
	return single(found)
}

// revokeTokens revokes what is not revoked yet, and returns how many that
// were.
func (o *op) revokeTokens(namespace, project string) (n int, err error) {
	all, err := gather(tokens.All(o.Tx, store.Join(namespace, project)))
	if err != nil {
		return 0, err
	}
	for _, t := range all {
		if t.Revoked != 0 {
			continue
		}
		n++
		if err := o.revokeToken(t); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// revokeTokensOf revokes every token of an agent.
func (o *op) revokeTokensOf(agent string) error {
	all, err := gather(tokensByAgent.All(o.Tx, store.Key(agent)))
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := o.revokeToken(t); err != nil {
			return err
		}
	}
	return nil
}

// revokeToken ends a token, and every JWT of it. It does nothing to one that
// ended so before.
func (o *op) revokeToken(t tokenRow) error {
	if t.Revoked != 0 {
		return nil
	}
	t.Revoked = o.now.UnixNano()
	o.tellRevoked(t)
	return tokens.Put(o.Tx, t)
}
