// Command probe hardens itself and prints what the kernel says of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/harden"
)

func main() {
	if err := probe(); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func probe() error {
	var opts harden.Options
	for _, arg := range os.Args[1:] {
		switch arg {
		case "new-privileges":
			opts.NewPrivileges = true
		case "nobody":
			if err := nobody(); err != nil {
				return err
			}
		case "no-lock":
			if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
				return err
			}
		case "no-core":
			if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
				return err
			}
		}
	}
	// Threads that are there before must be hardened as well.
	var threads sync.WaitGroup
	for range 4 {
		threads.Go(func() { unix.Getpid() })
	}
	threads.Wait()

	report := harden.Process(opts)
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		return err
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	privileges, err := noNewPrivs()
	if err != nil {
		return err
	}
	if err := os.WriteFile(os.Getenv("PROBE_FILE"), nil, 0o666); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"measures": report.Measures, "core": []uint64{core.Cur, core.Max}, "dumpable": dumpable,
		"umask": unix.Umask(0), "noNewPrivs": privileges,
	})
}

// nobody makes root somebody else.
func nobody() error {
	if err := unix.Setgid(65534); err != nil {
		return err
	}
	return unix.Setuid(65534)
}

// noNewPrivs returns what the kernel says of each thread.
func noNewPrivs() ([]string, error) {
	names, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "NoNewPrivs:"); ok {
				list = append(list, strings.TrimSpace(value))
			}
		}
	}
	return list, nil
}
