package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/projectfile"
)

func allow() *cli.Command {
	var list, revoke, asJSON bool
	return &cli.Command{
		Name:      "allow",
		Usage:     "let a directory's .cortex.toml say how commands run there",
		ArgsUsage: "[FILE-OR-DIRECTORY]",
		Description: `The file sets what the flags of cortex run set, so that run needs none:

   project = "my-app"
   url = "https://vault.example.com"
   names = ["OPENAI_API_KEY"]          # or env-file = "deploy.env"
   env = { DATABASE_URL = "STAGING_DATABASE_URL" }
   only = ["TOKEN"]
   template = { "app/config" = "APP_CONFIG" }
   template-file = { APP_CONFIG = "config/app.yaml" }
   no-inherit = true
   wait = "10m"
   timeout = "1h"

It counts in its directory and below, after it was allowed, and until it changes: a file
that came with somebody's code says nothing before you have read it. What the command
line says comes first.

Examples:
   cortex allow && cortex run -- npm test
   cortex allow --revoke
   cortex allow --list`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "list", Usage: "print the files that were allowed", Destination: &list},
			&cli.BoolFlag{Name: "revoke", Usage: "let the file count no longer", Destination: &revoke},
			jsonFlag(&asJSON),
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			switch {
			case cmd.NArg() > 1:
				return usage(cmd, errors.New("one file at a time"))
			case list && (revoke || cmd.Args().Present()):
				return usage(cmd, errors.New("--list stands alone"))
			case list:
				return listAllowed(cmd, asJSON)
			case revoke:
				return revokeFile(cmd, cmd.Args().First(), asJSON)
			}
			return allowFile(cmd, cmd.Args().First(), asJSON)
		},
	}
}

// An allowedFile is a project file as the verb prints it.
type allowedFile struct {
	Path    string `json:"path"`
	Project string `json:"project,omitempty"` // if it says which
	Allowed bool   `json:"allowed"`           // it counts, as it is
	// TemplateFiles are the paths of the files on a disk that runs make.
	TemplateFiles []string `json:"template_files,omitempty"`
}

func allowFile(cmd *cli.Command, named string, asJSON bool) error {
	file, err := namedFile(named)
	if errors.Is(err, fs.ErrNotExist) {
		return client.WithHint(err, `write one: echo 'project = "NAME"' > `+projectfile.Name)
	}
	if errors.Is(err, projectfile.ErrLink) {
		return client.WithHint(err, linkHint)
	}
	if err != nil {
		return err
	}
	var f runFlags
	if err := f.adopt(file, func(string) bool { return false }); err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	if err := allowed().Add(file); err != nil {
		return err
	}
	return tellAllowed(cmd, allowedFile{file.Path, f.project, true, f.names.paths()}, asJSON)
}

func revokeFile(cmd *cli.Command, named string, asJSON bool) error {
	path, err := revocable(named)
	if err != nil {
		return err
	}
	did, err := allowed().Remove(path)
	if err != nil {
		return err
	}
	if !did {
		return client.WithHint(fmt.Errorf("%s: %w", path, projectfile.ErrNeverAllowed), "to see which are: cortex allow --list")
	}
	return tellAllowed(cmd, allowedFile{Path: path}, asJSON)
}

// revocable returns the path of the file that is meant, which may be gone.
func revocable(named string) (string, error) {
	if file, err := namedFile(named); err == nil {
		return file.Path, nil
	}
	if filepath.Base(named) != projectfile.Name {
		named = filepath.Join(named, projectfile.Name)
	}
	return filepath.Abs(named)
}

func tellAllowed(cmd *cli.Command, a allowedFile, asJSON bool) error {
	switch {
	case asJSON:
		return writeJSON(cmd.Root().Writer, a)
	case !a.Allowed:
		say(cmd, "cortex: %s does not count any more", printable(a.Path))
	case a.Project == "":
		say(cmd, "cortex: %s counts from now on, for the project that --project names", printable(a.Path))
	default:
		say(cmd, "cortex: %s counts from now on: project %s", printable(a.Path), a.Project)
	}
	for _, path := range a.TemplateFiles {
		say(cmd, "cortex: runs there make a file of a template, with secrets in it, for as long as they last: %s", printable(path))
	}
	return nil
}

func listAllowed(cmd *cli.Command, asJSON bool) error {
	paths, err := allowed().Paths()
	if err != nil {
		return err
	}
	all := make([]allowedFile, 0, len(paths))
	for _, p := range paths {
		file, err := projectfile.Read(p)
		all = append(all, allowedFile{Path: p, Allowed: err == nil && allowed().Check(file) == nil})
	}
	if asJSON {
		return writeJSON(cmd.Root().Writer, all)
	}
	return table[allowedFile]{"FILE\tCOUNTS", func(a allowedFile) []string {
		return []string{a.Path, map[bool]string{true: "yes", false: "no: changed or gone"}[a.Allowed]}
	}}.write(cmd.Root().Writer, all)
}

// namedFile reads the project file at a path, of a directory, or of this one.
func namedFile(path string) (*projectfile.File, error) {
	if path == "" {
		dir, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		return projectfile.Find(dir)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, projectfile.Name)
	}
	return projectfile.Read(path)
}
