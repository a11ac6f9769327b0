package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/token"
)

// The bounds of how long a project's tokens may live, and of how long its values
// may be used while the vault is away.
const (
	minTokenTTL   = time.Minute
	maxTokenTTL   = 365 * 24 * time.Hour
	maxOfflineTTL = 7 * 24 * time.Hour
)

// projectSettings say what is different for a project. They can be there before
// the project is.
var projectSettings = store.Rows[projectSettingsRow]("project_settings").Kept()

type projectSettingsRow struct {
	Namespace string `cbor:"1,keyasint"`
	Project   string `cbor:"2,keyasint"`
	TokenTTL  int64  `cbor:"3,keyasint,omitempty"` // seconds; 0: as usual

	MaskOptional bool `cbor:"4,keyasint,omitempty"`
	EndOnFreeze  bool `cbor:"5,keyasint,omitempty"`

	Commands   Commands `cbor:"6,keyasint,omitempty"` // empty: any
	OfflineTTL int64    `cbor:"7,keyasint,omitempty"` // seconds; 0: not at all

	ExposeFiles bool `cbor:"8,keyasint,omitempty"`
}

// Key returns namespace and project.
func (r projectSettingsRow) Key() store.Key { return store.Join(r.Namespace, r.Project) }

// A Masking says whether who starts a command may have what it prints unmasked.
type Masking string

// The kinds of Masking.
const (
	MaskAlways   Masking = "always"
	MaskOptional Masking = "optional"
)

// An OnFreeze says what becomes of commands that run when they are cut off from
// what they were given.
type OnFreeze string

// The kinds of OnFreeze.
const (
	FreezeLeaves OnFreeze = "leave"
	FreezeEnds   OnFreeze = "end"
)

// Commands says for which commands a project has its secrets.
type Commands string

// The kinds of Commands.
const (
	// CommandsAny is for any.
	CommandsAny Commands = "any"
	// CommandsLearn is for any, and keeps those that no pin allows.
	CommandsLearn Commands = "learn"
	// CommandsEnforce is for those that a pin allows.
	CommandsEnforce Commands = "enforce"
)

// TemplateFiles says whether a caller may have a template, with the values in it, in
// a file on a disk.
type TemplateFiles string

// The kinds of TemplateFiles.
const (
	FilesDeny  TemplateFiles = "deny"
	FilesAllow TemplateFiles = "allow"
)

// ProjectSettings are what is different for a project.
type ProjectSettings struct {
	Namespace, Project string
	// TokenTTL is how long its tokens live, in whole seconds: a minute to 365
	// days; 14 days if nothing else was said.
	TokenTTL time.Duration
	// Masking is MaskAlways if nothing else was said.
	Masking Masking
	// OnFreeze is FreezeLeaves if nothing else was said.
	OnFreeze OnFreeze
	// OfflineTTL is for how long a daemon may use what it fetched while it cannot
	// reach the vault, in whole seconds: at most 7 days; 0 if nothing else was said,
	// for not at all.
	OfflineTTL time.Duration
	// Commands is CommandsAny if nothing else was said.
	Commands Commands
	// TemplateFiles is FilesDeny if nothing else was said.
	TemplateFiles TemplateFiles
}

// A ProjectChange says which settings to change; nil fields stay as they are.
type ProjectChange struct {
	// TokenTTL is for tokens that are issued from now on. 0 means as usual.
	TokenTTL *time.Duration
	// Masking counts for a daemon when it gets its next token.
	Masking *Masking
	// OnFreeze counts for freezes from now on.
	OnFreeze *OnFreeze
	// OfflineTTL is for what is fetched from now on. What daemons hold from before
	// is lost to those that listen.
	OfflineTTL *time.Duration
	// Commands counts at once.
	Commands *Commands
	// TemplateFiles counts at once.
	TemplateFiles *TemplateFiles
}

func (c ProjectChange) validate() error {
	if c.OfflineTTL != nil && (*c.OfflineTTL < 0 || *c.OfflineTTL > maxOfflineTTL) {
		return invalid("offline_ttl_seconds", "must be from 0, for not at all, to %d", int(maxOfflineTTL.Seconds()))
	}
	if c.Masking != nil && *c.Masking != MaskAlways && *c.Masking != MaskOptional {
		return invalid("masking", "must be always or optional")
	}
	if c.OnFreeze != nil && *c.OnFreeze != FreezeLeaves && *c.OnFreeze != FreezeEnds {
		return invalid("on_freeze", "must be leave or end")
	}
	if c.Commands != nil && !slices.Contains([]Commands{CommandsAny, CommandsLearn, CommandsEnforce}, *c.Commands) {
		return invalid("commands", "must be any, learn or enforce")
	}
	if c.TemplateFiles != nil && *c.TemplateFiles != FilesDeny && *c.TemplateFiles != FilesAllow {
		return invalid("template_files", "must be deny or allow")
	}
	if c.TokenTTL == nil || *c.TokenTTL == 0 {
		return nil
	}
	if *c.TokenTTL < minTokenTTL || *c.TokenTTL > maxTokenTTL {
		return invalid("token_ttl_seconds", "must be from %d to %d, or 0 for the usual", int(minTokenTTL.Seconds()), int(maxTokenTTL.Seconds()))
	}
	return nil
}

// ProjectSettings returns the settings of a project, whether there is one or
// not. An empty namespace is that of the one project of this name, or the
// default one if there is none.
func (v *Vault) ProjectSettings(ctx context.Context, by access.Caller, namespace, name string) (s ProjectSettings, err error) {
	if err := checkName("project_name", name); err != nil {
		return ProjectSettings{}, err
	}
	err = v.look(ctx, by, access.ReadProject, func(o *op) error {
		row, err := o.settings(namespace, name)
		if err != nil {
			return err
		}
		s = row.settings()
		return o.within(row.Namespace)
	})
	return s, err
}

func (r projectSettingsRow) settings() ProjectSettings {
	return ProjectSettings{
		Namespace: r.Namespace, Project: r.Project, TokenTTL: r.ttl(), Masking: r.masking(), OnFreeze: r.onFreeze(), OfflineTTL: r.offline(),
		Commands: r.commands(), TemplateFiles: r.templateFiles(),
	}
}

func (r projectSettingsRow) masking() Masking {
	if r.MaskOptional {
		return MaskOptional
	}
	return MaskAlways
}

func (r projectSettingsRow) onFreeze() OnFreeze {
	if r.EndOnFreeze {
		return FreezeEnds
	}
	return FreezeLeaves
}

func (r projectSettingsRow) commands() Commands { return cmp.Or(r.Commands, CommandsAny) }

func (r projectSettingsRow) templateFiles() TemplateFiles {
	if r.ExposeFiles {
		return FilesAllow
	}
	return FilesDeny
}

func (r projectSettingsRow) ttl() time.Duration {
	if r.TokenTTL == 0 {
		return token.ProjectTTL
	}
	return time.Duration(r.TokenTTL) * time.Second
}

func (r projectSettingsRow) offline() time.Duration { return time.Duration(r.OfflineTTL) * time.Second }

// UpdateProject changes the settings of a project, which need not exist yet.
// The namespace is found as by [Vault.ProjectSettings].
func (v *Vault) UpdateProject(ctx context.Context, by access.Caller, namespace, name string, c ProjectChange) (s ProjectSettings, err error) {
	if err := checkName("project_name", name); err != nil {
		return ProjectSettings{}, err
	}
	if err := c.validate(); err != nil {
		return ProjectSettings{}, err
	}
	err = v.do(ctx, by, record{action: access.UpdateProject, project: name, resource: name}, func(o *op) error {
		row, err := o.settings(namespace, name)
		if err != nil {
			return err
		}
		if err := o.within(row.Namespace); err != nil {
			return err
		}
		if err := o.changeSettings(&row, c); err != nil {
			return err
		}
		o.record.about(name, "namespace="+row.Namespace)
		s = row.settings()
		if err := o.ensureNamespace(row.Namespace); err != nil {
			return err
		}
		return projectSettings.Put(o.Tx, row)
	})
	return s, err
}

// changeSettings makes a change, and says so.
func (o *op) changeSettings(row *projectSettingsRow, c ProjectChange) error {
	if c.TokenTTL != nil {
		row.TokenTTL = int64(*c.TokenTTL / time.Second)
		o.record.about("token_ttl", row.ttl().String())
	}
	if c.Masking != nil {
		row.MaskOptional = *c.Masking == MaskOptional
		o.record.about("masking", string(*c.Masking))
	}
	if c.OnFreeze != nil {
		row.EndOnFreeze = *c.OnFreeze == FreezeEnds
		o.record.about("on_freeze", string(*c.OnFreeze))
	}
	if c.OfflineTTL != nil {
		row.OfflineTTL = int64(*c.OfflineTTL / time.Second)
		o.record.about("offline_ttl", row.offline().String())
	}
	if c.Commands != nil {
		row.Commands = *c.Commands
		o.record.about("commands", string(*c.Commands))
	}
	if c.TemplateFiles != nil {
		row.ExposeFiles = *c.TemplateFiles == FilesAllow
		o.record.about("template_files", string(*c.TemplateFiles))
	}
	if c == (ProjectChange{}) {
		return nil
	}
	// What its daemons hold was allowed by the settings as they were.
	rules := map[string]OnFreeze{row.Project: row.onFreeze()}
	if err := o.tellProject(row.Namespace, row.Project, notice{Event: Event{Kind: EventResync, OnFreeze: rules}}); err != nil {
		return err
	}
	if c.Commands == nil || *c.Commands == CommandsEnforce {
		return nil
	}
	return o.waitNoMore(*row)
}

// waitNoMore ends the wait for a decision of a project's commands, of which none is
// refused any more.
func (o *op) waitNoMore(row projectSettingsRow) error {
	rows, err := o.pinsOf(row.Namespace, row.Project)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Status != pinAsked {
			continue
		}
		r.Status = pinLearned
		o.tellPin(r, r.pinStatus())
		if err := pins.Put(o.Tx, r); err != nil {
			return err
		}
	}
	return nil
}

// settings finds the settings of a project, or those of one that has none.
func (o *op) settings(namespace, name string) (projectSettingsRow, error) {
	if namespace == "" {
		p, err := o.project("", name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return projectSettingsRow{}, err
		}
		namespace = namespaceOr(p.Namespace)
	}
	if err := checkName("namespace", namespace); err != nil {
		return projectSettingsRow{}, err
	}
	row, err := projectSettings.Get(o.Tx, store.Join(namespace, name))
	if isNotFound(err) {
		return projectSettingsRow{Namespace: namespace, Project: name}, nil
	}
	return row, err
}

// settingsOf returns the settings of a project.
func (o *op) settingsOf(p projectRow) (ProjectSettings, error) {
	row, err := projectSettings.Get(o.Tx, p.Key())
	if err != nil && !isNotFound(err) {
		return ProjectSettings{}, err
	}
	return row.settings(), nil
}

// DeleteProject deletes a project with its tokens, grants, settings, pins, and all
// that was asked and decided for it, at once. The name is anybody's again.
// Without a namespace, a name that stands in several is [ErrAmbiguous].
func (v *Vault) DeleteProject(ctx context.Context, by access.Caller, namespace, name string) error {
	return v.do(ctx, by, record{action: access.DeleteProject, project: name, resource: name}, func(o *op) error {
		p, err := o.project(namespace, name)
		if err != nil {
			return err
		}
		o.record.about(p.ID, "namespace="+p.Namespace)
		if _, err := o.revokeTokens(p.Namespace, p.Name); err != nil {
			return err
		}
		if err := dropAll(o, tokens, tokens.All(o.Tx, p.Key())); err != nil {
			return err
		}
		if err := o.dropPendings(pendingsByProject.All(o.Tx, p.Key())); err != nil {
			return err
		}
		its := filter(o.grantsOf(p.Name), func(g grantRow) bool { return g.Namespace == p.Namespace })
		if err := dropAll(o, grants, its); err != nil {
			return err
		}
		commands, err := o.pinsOf(p.Namespace, p.Name)
		if err != nil {
			return err
		}
		if err := o.dropPins(commands, grantDeleted); err != nil {
			return err
		}
		if err := projectSettings.Delete(o.Tx, p.Key()); err != nil && !isNotFound(err) {
			return err
		}
		return projects.Delete(o.Tx, p.Key())
	})
}
