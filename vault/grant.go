package vault

import (
	"cmp"
	"context"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/jsontext"
)

// grants say which secret a project gets under which variable.
var (
	grants        = store.Rows[grantRow]("project_grant").Kept()
	grantBySecret = store.Unique(grants, "project_grant_by_project_secret", func(r grantRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, r.target()), true
	})
	grantByVariable = store.Unique(grants, "project_grant_by_variable", func(r grantRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, r.Variable), true
	})
	grantsInOrder = store.Unique(grants, "project_grant_in_order", func(r grantRow) (store.Key, bool) {
		return store.Join(r.Project, instant(^r.Created), r.Variable, r.ID), true
	})
	grantsBySecret = store.NewMulti(grants, "project_grant_by_secret", func(r grantRow) (store.Key, bool) {
		return store.Key(r.SecretID), true
	})
)

type grantRow struct {
	ID        string  `cbor:"1,keyasint"`
	Namespace string  `cbor:"2,keyasint"` // of the project, and so of the agents it is for
	Project   string  `cbor:"3,keyasint"`
	SecretID  string  `cbor:"4,keyasint"`
	Path      string  `cbor:"5,keyasint"`           // in that namespace
	EnvVar    *string `cbor:"6,keyasint,omitempty"` // as the administrator wrote it
	Variable  string  `cbor:"7,keyasint"`           // what it comes to
	By        string  `cbor:"8,keyasint"`
	Created   int64   `cbor:"9,keyasint"`
	Pointer   string  `cbor:"10,keyasint,omitempty"` // to one member of a JSON_CONFIG
}

// Key returns the row id.
func (r grantRow) Key() store.Key { return store.Key(r.ID) }

// target says what a grant delivers: a secret, or a member of one.
func (r grantRow) target() string { return target(r.SecretID, r.Pointer) }

func target(id, pointer string) string {
	if pointer == "" {
		return id
	}
	return id + "#" + pointer
}

// shown returns the path of a grant as people read it.
func (r grantRow) shown() string { return target(r.Path, r.Pointer) }

// variable returns the effective variable of a grant: the given name in upper
// case, else the last segment of what it shows.
func (r grantRow) variable() string {
	if orEmpty(r.EnvVar) != "" {
		return strings.ToUpper(*r.EnvVar)
	}
	shown := r.shown()
	return strings.ToUpper(shown[strings.LastIndexByte(shown, '/')+1:])
}

// A ProjectGrant says that a project gets a secret.
type ProjectGrant struct {
	ID, Project, Namespace string
	SecretID               string
	// SecretPath is the secret's in the grant's namespace; behind it and a '#'
	// stands the pointer, if there is one.
	SecretPath string
	// Pointer leads to the member of a JSON_CONFIG that is delivered, empty for
	// all of the secret.
	Pointer string
	// EnvVar is the variable as it was given, nil if it was not.
	EnvVar *string
	// Variable is the effective one, in upper case.
	Variable  string
	GrantedBy string
	GrantedAt time.Time
}

func (r grantRow) grant() ProjectGrant {
	return ProjectGrant{
		ID: r.ID, Project: r.Project, Namespace: r.Namespace, SecretID: r.SecretID, SecretPath: r.shown(), Pointer: r.Pointer,
		EnvVar: r.EnvVar, Variable: r.Variable, GrantedBy: r.By, GrantedAt: nanos(r.Created),
	}
}

// ProjectGrants returns the grants of a project, in one namespace or, if that
// is empty, in all, newest first.
func (v *Vault) ProjectGrants(ctx context.Context, by access.Caller, namespace, project string) (all []ProjectGrant, err error) {
	all, _, err = v.ProjectGrantsPage(ctx, by, namespace, project, Page{})
	return all, err
}

// ProjectGrantsPage returns a part of what ProjectGrants does, and the position to
// go on after, empty at the end. Of all namespaces it reads no more than the part.
func (v *Vault) ProjectGrantsPage(ctx context.Context, by access.Caller, namespace, project string, p Page) (part []ProjectGrant, next string, err error) {
	err = v.look(ctx, by, access.ListProjectGrants, func(o *op) error {
		o.anywhere()
		rows, n, err := ordered(o, grantsInOrder, store.Key(project), p, func(r grantRow) bool {
			return o.by.Within(r.Namespace) && (namespace == "" || r.Namespace == namespace)
		})
		part, next = convert(rows, grantRow.grant), n
		return err
	})
	return part, next, err
}

// grantsOf yields the grants of the projects of a name.
func (o *op) grantsOf(project string) iter.Seq2[grantRow, error] {
	return grantsInOrder.From(o.Tx, "", store.Key(project))
}

// NewProjectGrant is what [Vault.CreateProjectGrant] needs.
type NewProjectGrant struct {
	Project, SecretID string
	// Namespace is where the project is, and the secret or a share of it. If
	// empty, the secret's own.
	Namespace string
	// Pointer leads to the member of a JSON_CONFIG to deliver, as RFC 6901 has
	// it; empty for all of the secret.
	Pointer string
	// EnvVar is the variable. If nil or empty, the last segment of the path, or
	// of the pointer.
	EnvVar *string
}

// maxPointer is the longest pointer, in bytes.
const maxPointer = 512

func (n NewProjectGrant) validate() error {
	if err := checkName("project_name", n.Project); err != nil {
		return err
	}
	if n.Namespace != "" {
		if err := checkName("namespace", n.Namespace); err != nil {
			return err
		}
	}
	if err := checkID("secret_id", n.SecretID); err != nil {
		return err
	}
	if err := checkLine("json_pointer", &n.Pointer, maxPointer); err != nil {
		return err
	}
	if _, err := jsontext.ParsePointer(n.Pointer); err != nil {
		return invalid("json_pointer", "is %v", err)
	}
	if orEmpty(n.EnvVar) != "" {
		return checkVariable("env_var_name", *n.EnvVar)
	}
	return nil
}

// CreateProjectGrant gives a project a secret, or a member of one. The project
// need not exist yet. What the project has already, and a variable that it has,
// is [ErrExists]; a secret that is not in the namespace is [ErrNotFound].
func (v *Vault) CreateProjectGrant(ctx context.Context, by access.Caller, n NewProjectGrant) (g ProjectGrant, err error) {
	if err := n.validate(); err != nil {
		return ProjectGrant{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateProjectGrant, project: n.Project, resource: n.SecretID}, func(o *op) error {
		s, err := secrets.Get(o.Tx, store.Key(n.SecretID))
		if err != nil {
			return err
		}
		o.record.resource = s.Path
		if err := o.sees(cmp.Or(n.Namespace, s.Namespace)); err != nil {
			return err
		}
		p, err := o.place(s, cmp.Or(n.Namespace, s.Namespace))
		if err != nil {
			return err
		}
		row, err := o.insertGrant(p, n)
		g = row.grant()
		o.record.resource = row.shown()
		o.record.about(s.ID, "namespace="+row.Namespace+" variable="+row.Variable)
		return err
	})
	return g, err
}

// insertGrant gives a project a secret.
func (o *op) insertGrant(p placed, n NewProjectGrant) (grantRow, error) {
	row := grantRow{
		ID: uuid.NewString(), Namespace: p.in, Project: n.Project, SecretID: p.ID, Path: p.path, Pointer: n.Pointer,
		EnvVar: n.EnvVar, By: o.by.Name, Created: o.now.UnixNano(),
	}
	row.Variable = row.variable()
	switch {
	case p.Type == TemplateConfig:
		return row, invalid("secret_id", "is a template, which cannot be delivered in a variable")
	case n.Pointer != "" && p.Type != JSONConfig:
		return row, invalid("json_pointer", "leads into a JSON_CONFIG only")
	}
	if err := checkVariable("env_var_name", row.Variable); err != nil {
		return row, err
	}
	return row, grants.Insert(o.Tx, row)
}

// DeleteProjectGrant takes a secret from a project, at once, with the
// approvals that hang on it. A grant of another project is [ErrNotFound].
func (v *Vault) DeleteProjectGrant(ctx context.Context, by access.Caller, project, id string) error {
	return v.do(ctx, by, record{action: access.DeleteProjectGrant, project: project, resource: id}, func(o *op) error {
		row, err := grants.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		if row.Project != project {
			return ErrNotFound
		}
		if err := o.sees(row.Namespace); err != nil {
			return err
		}
		o.record.about(row.SecretID, "namespace="+row.Namespace+" variable="+row.Variable)
		return o.dropGrant(row)
	})
}

// dropGrant deletes a grant and withdraws the approvals of its variable.
func (o *op) dropGrant(g grantRow) error { return o.dropGrantFor(g, "") }

// dropGrants is dropGrant for several.
func (o *op) dropGrants(rows iter.Seq2[grantRow, error]) error {
	all, err := gather(rows)
	if err != nil {
		return err
	}
	for _, g := range all {
		if err := o.dropGrant(g); err != nil {
			return err
		}
	}
	return nil
}

// dropGrantFor is dropGrant for a decision that gives the variable another
// secret, and stays.
func (o *op) dropGrantFor(g grantRow, decision string) error {
	asked, err := gather(pendingsByProject.All(o.Tx, store.Join(g.Namespace, g.Project)))
	if err != nil {
		return err
	}
	for _, p := range asked {
		if p.ID == decision {
			continue
		}
		if err := o.withdraw(p, g.Variable); err != nil {
			return err
		}
	}
	if err := o.tellGranted(g, notice{Event: Event{Kind: EventSecretChanged}}); err != nil {
		return err
	}
	return grants.Delete(o.Tx, g.Key())
}
