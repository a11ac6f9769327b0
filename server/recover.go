package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/term"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// A recoveryPlan says how the vault is opened with shares.
type recoveryPlan struct {
	on        bool
	threshold int    // 0: what the shares say
	dir       string // of share files; if empty, they are asked for
}

func (s settings) recovery() (recoveryPlan, error) {
	p := recoveryPlan{on: s.recoveryMode, dir: s.recoveryDir}
	if s.recoveryThreshold != "" {
		n, err := strconv.ParseUint(s.recoveryThreshold, 10, 8)
		if err != nil || n < 2 {
			return p, fmt.Errorf("CORTEX_RECOVERY_THRESHOLD %q: want a number from 2", s.recoveryThreshold)
		}
		p.threshold = int(n)
	}
	if !p.on && (p.dir != "" || p.threshold != 0) {
		return p, errors.New("CORTEX_RECOVERY_SHARES_DIR and CORTEX_RECOVERY_THRESHOLD are for CORTEX_RECOVERY_MODE=1: set that as well, or neither")
	}
	return p, nil
}

// recover opens the vault with shares: from the files of a directory, a person at
// the terminal, or lines of standard input. A share that does not fit is named.
// At the terminal it is asked for again; elsewhere that is the end.
func (p program) recover(ctx context.Context, v *vault.Vault, plan recoveryPlan) error {
	var set vault.ShareSet
	defer set.Wipe()
	var err error
	switch {
	case plan.dir != "":
		err = p.sharesFromDir(ctx, v, plan, &set)
	case term.IsTerminal(int(p.stdin.Fd())):
		err = p.askShares(ctx, v, plan, &set)
	default:
		err = p.sharesFromLines(ctx, v, plan, &set)
	}
	if err != nil {
		return err
	}
	if n := set.Missing(); n != 0 {
		return fmt.Errorf("recovering: not enough shares: %d more are needed", max(n, 1))
	}
	if err := v.Recover(ctx, &set); err != nil {
		return err
	}
	p.log.Warn("RECOVERED with shares: set a new operator password with `cortex change-password --recovered`", "threshold", set.Threshold())
	return nil
}

// addShare adds one share, and checks that its set is the one that is expected.
func addShare(ctx context.Context, v *vault.Vault, plan recoveryPlan, set *vault.ShareSet, share opaque.Bytes) error {
	if err := v.AddShare(ctx, set, share); err != nil {
		return err
	}
	if plan.threshold != 0 && set.Threshold() != plan.threshold {
		return fmt.Errorf("these shares are of a set of which %d are needed, and CORTEX_RECOVERY_THRESHOLD says %d", set.Threshold(), plan.threshold)
	}
	return nil
}

// sharesFromDir reads a share from each file of a directory, until there are
// enough.
func (p program) sharesFromDir(ctx context.Context, v *vault.Vault, plan recoveryPlan, set *vault.ShareSet) error {
	files, err := os.ReadDir(plan.dir)
	if err != nil {
		return fmt.Errorf("reading shares: %w", err)
	}
	for _, f := range files {
		if set.Missing() == 0 {
			return nil
		}
		if f.Type()&fs.ModeType != 0 {
			continue
		}
		path := filepath.Join(plan.dir, f.Name())
		share, err := secretfile.Read(ctx, path, warnExposed(p.log))
		if err == nil {
			err = addShare(ctx, v, plan, set, share)
			share.Wipe()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// sharesFromLines reads a share from each line of standard input, until there are
// enough.
func (p program) sharesFromLines(ctx context.Context, v *vault.Vault, plan recoveryPlan, set *vault.ShareSet) error {
	for set.Missing() != 0 {
		share, err := awaitPasswordLine(ctx, p.stdin)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = addShare(ctx, v, plan, set, share)
			share.Wipe()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// askShares asks a person for shares.
func (p program) askShares(ctx context.Context, v *vault.Vault, plan recoveryPlan, set *vault.ShareSet) error {
	for n := 1; set.Missing() != 0; {
		of := ""
		if set.Threshold() > 0 {
			of = fmt.Sprintf(" of %d", set.Threshold())
		}
		share, err := promptOnce(ctx, p.stdin, fmt.Sprintf("cortex: the vault is SEALED. Recovery share %d%s: ", n, of))
		if err != nil {
			return err
		}
		err = addShare(ctx, v, plan, set, share)
		share.Wipe()
		if bad, ok := errors.AsType[*vault.ShareError](err); ok {
			fmt.Fprintf(p.stdin, "cortex: %v; try again\n", bad)
			continue
		}
		if err != nil {
			return err
		}
		n++
	}
	return nil
}
