package command

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/projectfile"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/proof"
)

// linkHint is what to do about a project file that is a link.
const linkHint = "write a file in its place, and type: cortex allow"

func allowed() projectfile.Allowed { return projectfile.AllowedIn(identity.Dir()) }

// complete takes what the command line leaves open from the project file of this
// directory. One that does not count is told of, and where nothing else says
// whose secrets are meant, refused.
func (f *runFlags) complete(cmd *cli.Command) error {
	file, err := countingFile()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil && f.project != "":
		f.warn(cmd, "warning: "+err.Error())
	case errors.Is(err, projectfile.ErrLink):
		return client.WithHint(err, linkHint)
	case err != nil:
		return client.WithHint(err, "read it, and if it says what you want: cortex allow")
	default:
		if err := f.adopt(file, cmd.IsSet); err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
	}
	if f.project == "" && !cmd.IsSet("project") {
		return usage(cmd, fmt.Errorf("no project: write --project NAME, or project = \"NAME\" into %s and type: cortex allow", projectfile.Name))
	}
	return nil
}

// countingFile returns the project file of this directory, if somebody allowed
// it, and [fs.ErrNotExist] if there is none.
func countingFile() (*projectfile.File, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fs.ErrNotExist // there is no directory any more
	}
	file, err := projectfile.Find(dir)
	if err != nil {
		return nil, err
	}
	if err := allowed().Check(file); err != nil {
		return nil, fmt.Errorf("%s does not count: %w", file.Path, err)
	}
	return file, nil
}

// adopt takes the settings of a file for all flags that are not set.
func (f *runFlags) adopt(file *projectfile.File, isSet func(string) bool) error {
	s, err := file.Settings()
	if err != nil {
		return err
	}
	if err := checkSettings(s); err != nil {
		return err
	}
	f.dir = file.Dir()
	if !isSet("env-file") {
		f.names.listed = s.Names
		if s.EnvFile != "" {
			f.envFile = absolute(f.dir, s.EnvFile)
		}
	}
	for name, take := range map[string]func() error{
		"project":  func() error { f.project = s.Project; return nil },
		"url":      func() error { f.url = s.URL; return nil },
		"only":     func() error { f.names.only = s.Only; return nil },
		"env":      func() error { f.names.aliases = pairs(s.Env); return nil },
		"file":     func() error { f.names.files = pairs(s.File); return nil },
		"template": func() error { f.names.templates = pairs(s.Template); return nil },
		"template-file": func() error {
			if !isSet("template") { // or there are others
				f.names.templateFiles = pathsIn(f.dir, s.TemplateFile)
			}
			return nil
		},
		"stdin":      func() error { f.names.stdin = s.Stdin; return nil },
		"ssh":        func() error { f.names.ssh = s.SSH; return nil },
		"no-inherit": func() error { f.names.noInherit = s.NoInherit; return nil },
		"wait":       func() error { return setTime(&f.wait.timeFlag, "wait", s.Wait) },
		"timeout":    func() error { return setTime(&f.timeout, "timeout", s.Timeout) },
	} {
		if isSet(name) {
			continue
		}
		if err := take(); err != nil {
			return err
		}
	}
	return f.names.check()
}

// checkSettings refuses what no flag takes.
func checkSettings(s projectfile.Settings) error {
	if s.Project != "" && !proof.ValidName(s.Project) {
		return errBadProject
	}
	if s.URL != "" {
		if _, err := client.Origin(s.URL); err != nil {
			return err
		}
	}
	if s.EnvFile != "" && s.Names != nil {
		return errors.New("env-file and names exclude each other")
	}
	return nil
}

// pairs writes a table of variables as --env, --file and --template have them.
func pairs(table map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		all = append(all, name+"="+table[name])
	}
	return all
}

// pathsIn writes a table of paths as --template-file has them, as they are meant in dir.
func pathsIn(dir string, table map[string]string) []string {
	var all []string
	for _, variable := range slices.Sorted(maps.Keys(table)) {
		path := table[variable]
		if path != "" {
			path = absolute(dir, path)
		}
		all = append(all, variable+"="+path)
	}
	return all
}

// setTime sets a flag as the command line would, "" for none.
func setTime(flag *timeFlag, name, text string) error {
	if text == "" {
		return nil
	}
	if err := flag.Set(text); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// absolute returns path as it is meant in dir.
func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// blanks returns entries for names that no file has.
func blanks(names []string) []dotenv.Entry {
	entries := make([]dotenv.Entry, len(names))
	for i, n := range names {
		entries[i] = dotenv.Entry{Name: n, Blank: true}
	}
	return entries
}
