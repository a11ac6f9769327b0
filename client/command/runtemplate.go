package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/cortex-auth/cortex/client"
)

// checkTemplateFiles refuses files on a disk that are for no template, or that could
// not be said on the record.
func (n runNames) checkTemplateFiles() error {
	var seen []string
	for _, f := range n.templateFiles {
		variable, path, _ := strings.Cut(f, "=")
		switch of := func(t string) bool { return strings.HasSuffix(t, "="+variable) }; {
		case !isVariable(variable) || path == "" || strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) }):
			return errors.New("bad --template-file: write VARIABLE=PATH, a variable of a --template and a path that can be printed")
		case !slices.ContainsFunc(n.templates, of):
			return fmt.Errorf("bad --template-file: no --template has the variable %s", variable)
		case slices.Contains(seen, variable):
			return fmt.Errorf("bad --template-file: %s is given twice", variable)
		}
		seen = append(seen, variable)
	}
	return nil
}

// paths returns the files on a disk alone.
func (n runNames) paths() (paths []string) {
	for _, f := range n.templateFiles {
		_, path, _ := strings.Cut(f, "=")
		paths = append(paths, path)
	}
	return paths
}

// exposed returns the files on a disk, by their paths from this directory. They have
// to be in there.
func (n runNames) exposed() ([]string, error) {
	if len(n.templateFiles) == 0 {
		return nil, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("looking for this directory: %w", err)
	}
	var all []string
	for _, f := range n.templateFiles {
		variable, path, _ := strings.Cut(f, "=")
		if filepath.IsAbs(path) {
			if path, err = filepath.Rel(dir, path); err != nil {
				return nil, fmt.Errorf("--template-file %s: %w", variable, err)
			}
		}
		if !filepath.IsLocal(path) || filepath.Clean(path) == "." {
			return nil, client.WithHint(fmt.Errorf("--template-file %s: the file has to be in this directory, or below", variable), "name one like "+variable+"=app.conf")
		}
		all = append(all, variable+"="+filepath.Clean(path))
	}
	return all, nil
}
