package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// wider is in what a pin differs from the command that is approved.
type wider struct {
	anyArgs   bool
	dirs, env []string
	sealed    bool
}

func (w *wider) flags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "any-args", Usage: "with any arguments behind the last one that names a file", Destination: &w.anyArgs},
		&cli.StringSliceFlag{Name: "dir", Usage: "in the directory `PATTERN`: * in a name, ** for any number of names", Destination: &w.dirs},
		&cli.StringSliceFlag{Name: "env", Usage: "with the variable `NAME` too, or NAME_*", Destination: &w.env},
		&cli.BoolFlag{Name: "sealed", Usage: "hand over copies of scripts and files that nobody can change: $0 is another name", Destination: &w.sealed},
	}
}

func pinApprove() *cli.Command {
	var f adminFlags
	var namespace string
	var all bool
	var w wider
	return f.verb(&cli.Command{
		Name: "approve", ArgsUsage: "PROJECT [PIN...]",
		Usage: "let commands have a project's secrets",
		Description: `A pin allows the command as it was measured: program, arguments, the files they name, and
directory. It is marked weak, with the reason, where that leaves something that nobody looked at.

Examples:
   cortex pin approve my-app 0ebc2b1f
   cortex pin approve my-app 0ebc2b1f --any-args --dir '/work/**' --env AWS_REGION
   cortex pin approve my-app 0ebc2b1f --sealed
   cortex pin approve my-app --all`,
		Flags: append([]cli.Flag{
			projectNamespace(&namespace),
			&cli.BoolFlag{Name: "all", Usage: "all that nobody decided on: look at the list first", Destination: &all},
		}, w.flags()...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		pins, err := f.toApprove(ctx, cmd, c, namespace, all)
		if err != nil {
			return err
		}
		done := []api.Pin{}
		for _, p := range pins {
			out, err := c.ApprovePin(ctx, p.ProjectName, p.ID, w.change(p.Command))
			if all && errors.Is(err, api.NotFound) {
				continue // one that was just approved allows it as well
			}
			if err != nil {
				return about("pin", p.ID, err)
			}
			done = append(done, out)
			if !f.json {
				say(cmd, "cortex: project %s may run %s", printable(out.ProjectName), printable(commandLine(out)))
				sayWeak(cmd, out)
			}
		}
		return f.answer(cmd, done)
	})
}

// change returns what a command line adds to a command.
func (w wider) change(c *api.Command) api.ApprovePin {
	var change api.ApprovePin
	if w.anyArgs && c != nil {
		args := pinned.Of(pinned.Command{Args: c.Args, Files: pinnedFiles(c.Files)}).AnyArgs().Args
		change.Args = &args
	}
	if len(w.dirs) > 0 {
		change.Dirs = &w.dirs
	}
	if len(w.env) > 0 {
		change.Env = &w.env
	}
	change.Sealed = w.sealed
	return change
}

func pinnedFiles(files []api.CommandFile) []pinned.File {
	all := make([]pinned.File, 0, len(files))
	for _, f := range files {
		all = append(all, pinned.File(f))
	}
	return all
}

func pinAdd() *cli.Command {
	var f adminFlags
	var namespace, program string
	var files []string
	var w wider
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "PROJECT [ARG...]",
		Usage: "let commands have a project's secrets, before anybody asks",
		Description: `Without --program any program may run, in the directories named. Without a SHA256 a program
or file may be any that whoever starts it cannot change. ARG is a pattern, in which * stands for any
text; quote it.

Examples:
   cortex pin add my-app --dir '/srv/my-app/**'
   cortex pin add my-app --program /usr/bin/terraform --any-args --dir /srv/infra --env 'TF_*'
   cortex pin add my-app --program /usr/bin/make -- deploy`,
		Flags: append([]cli.Flag{
			projectNamespace(&namespace),
			&cli.StringFlag{Name: "program", Usage: "`PATH[@SHA256]` of the program", Destination: &program},
			&cli.StringSliceFlag{Name: "file", Usage: "`N=PATH[@SHA256]`: what ARG number N, from 1, names", Destination: &files},
		}, w.flags()...),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		rule := api.PinRule{Args: cmd.Args().Tail(), Dirs: w.dirs, Env: w.env, Sealed: w.sealed}
		rule.Program, rule.ProgramSHA256, _ = strings.Cut(program, "@")
		if w.anyArgs {
			rule.Args = append(rule.Args, "**")
		}
		for _, text := range files {
			file, err := readPinFile(text)
			if err != nil {
				return usage(cmd, err)
			}
			rule.Files = append(rule.Files, file)
		}
		name := cmd.Args().First()
		out, err := c.CreatePin(ctx, namespace, name, rule)
		if err != nil {
			return about("project", name, whichNamespace(err, namespace))
		}
		if !f.json {
			defer sayWeak(cmd, out)
		}
		return f.answer(cmd, out, fmt.Sprintf("project %s may run %s", printable(out.ProjectName), printable(commandLine(out))))
	})
}

func readPinFile(text string) (api.CommandFile, error) {
	number, rest, ok := strings.Cut(text, "=")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil || n == 0 {
		return api.CommandFile{}, fmt.Errorf("bad --file %q: write 1=/srv/app/deploy.py", text)
	}
	path, sum, _ := strings.Cut(rest, "@")
	return api.CommandFile{Arg: int(n) - 1, Path: path, SHA256: sum}, nil
}

// showPin shows all there is of a pin.
func showPin(w io.Writer, p api.Pin) error {
	fields := []string{
		"id", p.ID, "status", p.Status, "agent", p.AgentID, "project", p.ProjectName, "namespace", p.Namespace,
		"first asked", p.FirstAsked.String(), "last asked", p.LastAsked.String(), "source", textOr(p.SourceIP),
		"decided", timeOr(p.DecidedAt), "by", textOr(p.DecidedBy),
	}
	if err := writeShown(w, append(shown(fields), commandFields(p.Command)...)...); err != nil {
		return err
	}
	if err := writeShown(w, ruleFields(p.Pin)...); err != nil {
		return err
	}
	for _, why := range p.Weakness {
		if err := writeFields(w, "weak", why); err != nil {
			return err
		}
	}
	return nil
}

// commandFields returns what was measured of a command, an argument each by itself, in
// quotes where it could look like more than one row.
func commandFields(c *api.Command) []string {
	if c == nil {
		return nil
	}
	fields := []string{"program", wordOr(c.Program), "sha256", wordOr(c.ProgramSHA256), "interpreter", wordOr(c.Interpreter), "sha256", wordOr(c.InterpreterSHA256), "directory", wordOr(c.Dir)}
	for i, a := range c.Args {
		fields = append(fields, fmt.Sprintf("argument %d", i+1), pinned.Word(a))
		for _, file := range c.Files {
			if file.Arg == i {
				fields = append(fields, "file", wordOr(file.Path), "sha256", wordOr(file.SHA256))
			}
		}
	}
	return fields
}

// wordOr is a text as a word, or nothing where there is none.
func wordOr(text string) string {
	if text == "" {
		return ""
	}
	return pinned.Word(text)
}

// ruleFields returns what a pin allows, fit to be shown.
func ruleFields(r *api.PinRule) []string {
	if r == nil {
		return nil
	}
	program := "any program"
	if r.Program != "" {
		program = shellLine(r.Program, r.Args)
	}
	copies := ""
	if r.Sealed {
		copies = "copies of files that nobody can change"
	}
	return []string{"allows", printable(program), "in", joinWords(r.Dirs, " or "), "with", joinWords(r.Env, " "), "gets", copies}
}

// joinWords puts texts into one, from which they can be told.
func joinWords(texts []string, between string) string {
	words := make([]string, 0, len(texts))
	for _, t := range texts {
		words = append(words, pinned.Word(t))
	}
	return strings.Join(words, between)
}
