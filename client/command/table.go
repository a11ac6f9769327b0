package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// A table shows rows to people.
type table[R any] struct {
	header string // names with tabs between them, or empty for none
	cells  func(R) []string
}

// write writes the rows in columns. Texts that could play tricks on a terminal
// are quoted, and empty ones a dash.
func (t table[R]) write(w io.Writer, rows []R) error {
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		cells = append(cells, inert(t.cells(r)))
	}
	return writeColumns(w, t.header, cells)
}

// writeColumns writes cells as they are, below a header if there is one.
func writeColumns(w io.Writer, header string, rows [][]string) error {
	var buf bytes.Buffer
	tw := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	if header != "" {
		fmt.Fprintln(tw, header)
	}
	for _, r := range rows {
		fmt.Fprintln(tw, strings.Join(r, "\t"))
	}
	tw.Flush()
	for line := range bytes.Lines(buf.Bytes()) {
		if _, err := w.Write(append(bytes.TrimRight(line, " \n"), '\n')); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
	}
	return nil
}

// inert makes texts that servers and others chose fit to be shown.
func inert(cells []string) []string {
	for i, c := range cells {
		if cells[i] = printable(c); c == "" {
			cells[i] = "-"
		}
	}
	return cells
}

// writeFields shows one thing: names and values in turn, without those that have
// no value.
func writeFields(w io.Writer, fields ...string) error { return writeShown(w, shown(fields)...) }

// writeShown is writeFields for values that are fit to be shown as they are.
func writeShown(w io.Writer, fields ...string) error {
	rows := slices.DeleteFunc(slices.Collect(slices.Chunk(fields, 2)), func(f []string) bool { return f[1] == "" })
	return writeColumns(w, "", rows)
}

// shown makes texts fit to be shown, and leaves empty ones.
func shown(fields []string) []string {
	out := make([]string, 0, len(fields))
	for _, f := range fields {
		out = append(out, printable(f))
	}
	return out
}

// listVerb makes the verb "list" of what is particular about it: what there is,
// however much that is, and what of each is shown.
func listVerb[R any](cmd *cli.Command, rows func(context.Context, *client.Client) iter.Seq2[R, error], t table[R]) *cli.Command {
	var f adminFlags
	var limit uint
	if cmd.Name == "" {
		cmd.Name = "list"
	}
	cmd.Flags = append(cmd.Flags, &cli.UintFlag{Name: "limit", Usage: "show the first `N` at most", DefaultText: "all", Destination: &limit})
	return f.verb(cmd, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		all, err := first(rows(ctx, c), int(limit))
		if err != nil {
			return err
		}
		return showRows(&f, cmd, all, t)
	})
}

// showRows shows rows as they are asked for.
func showRows[R any](f *adminFlags, cmd *cli.Command, rows []R, t table[R]) error {
	if f.json {
		return writeJSON(cmd.Root().Writer, rows)
	}
	return t.write(cmd.Root().Writer, rows)
}

// first collects the first n rows, or all if n is 0. There are none rather than
// nil.
func first[R any](rows iter.Seq2[R, error], n int) ([]R, error) {
	all := []R{}
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		if all = append(all, r); len(all) == n {
			break
		}
	}
	return all, nil
}

// whole yields the rows of a list that came in one piece.
func whole[R any](rows []R, err error) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		if err != nil {
			var none R
			yield(none, err)
			return
		}
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// pick returns the one row of a list that a command line names.
func pick[R any](rows iter.Seq2[R, error], kind, name string, is func(R) bool) (picked R, err error) {
	n := 0
	for r, err := range rows {
		if err != nil {
			return r, err
		}
		if is(r) {
			picked = r
			n++
		}
	}
	switch n {
	case 0:
		err = about(kind, name, errNotFound)
	case 1:
	default:
		err = client.WithHint(fmt.Errorf("there are %d of the name %s", n, printable(name)), "name it by its id")
	}
	return picked, err
}

// The cells of a table for what need not be there.

func textOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func timeOr(t *api.Time) string {
	if t == nil {
		return ""
	}
	return t.String()
}

func mark(is bool, word string) string {
	if is {
		return word
	}
	return ""
}
