// Command loadgen measures a cortex server as a process, beside the least that
// any server could do. scripts/bench builds both and runs it.
//
// Each figure is a target, such as "fetch". A target measures cortex and the
// bare program in turn (A B A B), because machines drift: what counts is the
// ratio of each pair, and the spread of those.
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A bench is one run of the program.
type bench struct {
	cortex string        // the product
	floor  string        // directory of the bare programs; empty: there are none
	hello  string        // a program that prints a line
	dir    string        // for everything that is written
	pairs  int           // how often each figure is taken
	length time.Duration // of each load
	rows   int           // secrets in the greatest vault
	count  int           // requests with wrong credentials
	conns  []int         // how many connections a load has
	table  *table
}

// targets are the figures there are.
var targets = map[string]func(*bench) error{
	"fetch":   (*bench).fetch,
	"write":   (*bench).write,
	"list":    (*bench).list,
	"start":   (*bench).start,
	"unlock":  (*bench).unlock,
	"rotate":  (*bench).rotate,
	"hostile": (*bench).hostile,
	"dev":     (*bench).dev,
	"run":     (*bench).runs,
}

// usual are those that run where none is named.
var usual = []string{"fetch", "write", "start", "dev", "run", "list", "unlock", "rotate"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run() error {
	b := bench{table: &table{w: os.Stdout}}
	flag.StringVar(&b.cortex, "cortex", "", "the program `FILE`")
	flag.StringVar(&b.floor, "floor", "", "`DIRECTORY` of the bare programs (floorserve, floorrun, hello, limits)")
	flag.StringVar(&b.hello, "hello", "", "`FILE` of a program that prints a line")
	flag.StringVar(&b.dir, "dir", os.TempDir(), "`DIRECTORY` to write to, on the disk that is to be measured")
	flag.IntVar(&b.pairs, "pairs", 5, "how often to take each figure")
	flag.DurationVar(&b.length, "length", 1500*time.Millisecond, "of each load")
	flag.IntVar(&b.rows, "rows", 100_000, "secrets in the greatest vault")
	flag.IntVar(&b.count, "count", 100_000, "requests with wrong credentials")
	conns := flag.String("conns", "1,8,64", "how many connections a load has: `NUMBERS`")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "targets: %s (without any: %s)\n", strings.Join(slices.Sorted(maps.Keys(targets)), " "), strings.Join(usual, " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if b.cortex == "" || b.pairs < 1 {
		return errors.New("want -cortex FILE, and at least one pair")
	}
	for text := range strings.SplitSeq(*conns, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("no number of connections: %q", text)
		}
		b.conns = append(b.conns, n)
	}
	dir, err := os.MkdirTemp(b.dir, "loadgen-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	return b.run(flag.Args())
}

func (b *bench) run(names []string) error {
	if len(names) == 0 {
		names = usual
	}
	for _, name := range names {
		if targets[name] == nil {
			return fmt.Errorf("no target %q", name)
		}
	}
	b.table.head()
	for _, name := range names {
		if err := targets[name](b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
