package vault

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// grants say which secret a project gets under which variable.
var (
	grants        = store.Rows[grantRow]("project_grant")
	grantBySecret = store.Unique(grants, "project_grant_by_project_secret", func(r grantRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, r.SecretID), true
	})
	grantByVariable = store.Unique(grants, "project_grant_by_variable", func(r grantRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, r.Variable), true
	})
	grantsByProject = store.NewMulti(grants, "project_grant_by_project", func(r grantRow) (store.Key, bool) {
		return store.Key(r.Project), true
	})
	grantsBySecret = store.NewMulti(grants, "project_grant_by_secret", func(r grantRow) (store.Key, bool) {
		return store.Key(r.SecretID), true
	})
)

type grantRow struct {
	ID        string  `cbor:"1,keyasint"`
	Namespace string  `cbor:"2,keyasint"` // of the secret, and so of the agents it is for
	Project   string  `cbor:"3,keyasint"`
	SecretID  string  `cbor:"4,keyasint"`
	Path      string  `cbor:"5,keyasint"`
	EnvVar    *string `cbor:"6,keyasint,omitempty"` // as the administrator wrote it
	Variable  string  `cbor:"7,keyasint"`           // what it comes to
	By        string  `cbor:"8,keyasint"`
	Created   int64   `cbor:"9,keyasint"`
}

// Key returns the row id.
func (r grantRow) Key() store.Key { return store.Key(r.ID) }

// variable returns the effective variable of a grant: the given name in upper
// case, else the last segment of the path.
func variable(envVar *string, path string) string {
	if envVar != nil && *envVar != "" {
		return strings.ToUpper(*envVar)
	}
	return strings.ToUpper(path[strings.LastIndexByte(path, '/')+1:])
}

// A ProjectGrant says that a project gets a secret.
type ProjectGrant struct {
	ID, Project, Namespace string
	SecretID, SecretPath   string
	// EnvVar is the variable as it was given, nil if it was not.
	EnvVar *string
	// Variable is the effective one, in upper case.
	Variable  string
	GrantedBy string
	GrantedAt time.Time
}

func (r grantRow) grant() ProjectGrant {
	return ProjectGrant{
		ID: r.ID, Project: r.Project, Namespace: r.Namespace, SecretID: r.SecretID, SecretPath: r.Path,
		EnvVar: r.EnvVar, Variable: r.Variable, GrantedBy: r.By, GrantedAt: nanos(r.Created),
	}
}

// ProjectGrants returns the grants of a project, in one namespace or, if that
// is empty, in all, newest first.
func (v *Vault) ProjectGrants(ctx context.Context, by access.Caller, namespace, project string) (all []ProjectGrant, err error) {
	err = v.look(ctx, by, access.ListProjectGrants, func(o *op) error {
		return collect(&all, grantsByProject.All(o.Tx, store.Key(project)), grantRow.grant)
	})
	if namespace != "" {
		all = slices.DeleteFunc(all, func(g ProjectGrant) bool { return g.Namespace != namespace })
	}
	slices.SortFunc(all, func(a, b ProjectGrant) int {
		return cmp.Or(b.GrantedAt.Compare(a.GrantedAt), cmp.Compare(a.Variable, b.Variable))
	})
	return all, err
}

// CreateProjectGrant gives a project a secret, under envVar or, if that is nil
// or empty, the last segment of its path. The project need not exist yet; it
// is the one in the secret's namespace. A secret or variable that the project
// has already is [ErrExists].
func (v *Vault) CreateProjectGrant(ctx context.Context, by access.Caller, project, secretID string, envVar *string) (g ProjectGrant, err error) {
	if err := checkName("project_name", project); err != nil {
		return ProjectGrant{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateProjectGrant, project: project, resource: secretID}, func(o *op) error {
		s, err := secrets.Get(o.Tx, store.Key(secretID))
		if err != nil {
			return err
		}
		o.record.resource = s.Path
		row, err := o.insertGrant(s, project, envVar)
		g = row.grant()
		o.record.about(s.ID, "namespace="+s.Namespace+" variable="+row.Variable)
		return err
	})
	return g, err
}

// insertGrant gives a project a secret.
func (o *op) insertGrant(s secretRow, project string, envVar *string) (grantRow, error) {
	if envVar != nil && *envVar != "" {
		if err := checkVariable("env_var_name", *envVar); err != nil {
			return grantRow{}, err
		}
	}
	if s.Type == TemplateConfig {
		return grantRow{}, invalid("secret_id", "is a template, which cannot be delivered in a variable")
	}
	row := grantRow{
		ID: uuid.NewString(), Namespace: s.Namespace, Project: project, SecretID: s.ID, Path: s.Path,
		EnvVar: envVar, Variable: variable(envVar, s.Path), By: o.by.Name, Created: o.now.UnixNano(),
	}
	if err := checkVariable("env_var_name", row.Variable); err != nil {
		return grantRow{}, err
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
		o.record.about(row.SecretID, "namespace="+row.Namespace+" variable="+row.Variable)
		return o.dropGrant(row)
	})
}

// dropGrant deletes a grant and withdraws the approvals of its variable.
func (o *op) dropGrant(g grantRow) error {
	asked, err := gather(pendingsByProject.All(o.Tx, store.Join(g.Namespace, g.Project)))
	if err != nil {
		return err
	}
	for _, p := range asked {
		if err := o.withdraw(p, g.Variable); err != nil {
			return err
		}
	}
	return grants.Delete(o.Tx, g.Key())
}
