package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// settle is how long an idle server is left alone before its memory counts.
const settle = 10 * time.Second

// start measures how long a server takes until it is ready, without the
// unsealing, and what it then holds in memory, by how many secrets
// there are. The sizes are 1 000 and the greatest asked for, and those between.
func (b *bench) start() error {
	sizes := []int{0, 1000}
	for _, n := range []int{10_000, b.rows} {
		if n <= b.rows && n > sizes[len(sizes)-1] {
			sizes = append(sizes, n)
		}
	}
	var few started
	for _, n := range sizes {
		dir, err := b.filled(n)
		if err != nil {
			return err
		}
		s, err := b.startsOf(dir)
		if err != nil {
			return err
		}
		if n == 1000 {
			few = s
		}
		b.startRows(n, s, few)
	}
	return nil
}

// started is what was seen of the starts of one vault: after it was stopped,
// after it was killed, and in the same turns those of a bare server.
type started struct {
	stopped, killed, bare figures // ms
	memory, bareMemory    figures // MiB
}

// startsOf takes the figures of one vault.
func (b *bench) startsOf(dir string) (s started, err error) {
	for range b.pairs {
		// It was stopped, and is killed; it was killed, and is stopped.
		for _, end := range []struct {
			figure *figures
			end    func(*process) error
		}{{&s.stopped, (*process).kill}, {&s.killed, (*process).stop}} {
			p, err := b.serve(dir)
			if err != nil {
				return s, err
			}
			ms, err := p.startup()
			if err != nil {
				return s, errors.Join(err, p.kill())
			}
			*end.figure = append(*end.figure, ms)
			if err := end.end(p); err != nil {
				return s, err
			}
		}
		if b.floor != "" {
			p, err := b.bare("hello", dir)
			if err != nil {
				return s, err
			}
			s.bare = append(s.bare, milliseconds(p.ready))
			if err := p.kill(); err != nil {
				return s, err
			}
		}
	}
	if s.memory, err = b.idle(func() (*process, error) { return b.serve(dir) }); err != nil || b.floor == "" {
		return s, err
	}
	s.bareMemory, err = b.idle(func() (*process, error) { return b.bare("hello", dir) })
	return s, err
}

// startup returns how long the start took, without the unsealing, in ms: that
// is what the password is meant to cost.
func (p *process) startup() (float64, error) {
	unsealing, err := p.took("UNSEALED")
	return milliseconds(p.ready - unsealing), err
}

// idle returns the memory of a server that was left alone, in MiB.
func (b *bench) idle(start func() (*process, error)) (figures, error) {
	p, err := start()
	if err != nil {
		return nil, err
	}
	time.Sleep(settle) // it is what is measured
	n, err := p.anonymous()
	return figures{mebibytes(n)}, errors.Join(err, p.kill())
}

// startRows prints what was seen, beside the bare server, and for many secrets
// beside the vault with few.
func (b *bench) startRows(n int, s, few started) {
	what := fmt.Sprintf("%d secrets", n)
	if info, err := os.Stat(vaultFile(fmt.Sprintf("%s/filled-%d", b.dir, n))); err == nil {
		what += fmt.Sprintf(" (%.0f MiB)", mebibytes(info.Size()))
	}
	b.table.row("start to ready after a stop, "+what+", ms, beside a bare server", s.stopped.text("%.1f"), s.bare.text("%.1f"), s.stopped.ratios(s.bare).text("%.1f"), "30 ms", "15 ms")
	b.table.row("start to ready after a kill, "+what+", ms", s.killed.text("%.1f"), "", "", "30 ms", "15 ms")
	b.table.row("idle memory, "+what+", MiB, beside a bare server", s.memory.text("%.1f"), s.bareMemory.text("%.1f"), s.memory.ratios(s.bareMemory).text("%.1f"), "30 MB", "17 MB")
	if n > 1000 {
		b.table.row("start after a stop, "+what+" beside 1000, ms", s.stopped.text("%.1f"), few.stopped.text("%.1f"), s.stopped.ratios(few.stopped).text("%.2f"), "1.5", "1.1")
		b.table.row("start after a kill, "+what+" beside 1000, ms", s.killed.text("%.1f"), few.killed.text("%.1f"), s.killed.ratios(few.killed).text("%.2f"), "1.5", "1.1")
		b.table.row("idle memory, "+what+" beside 1000, MiB", s.memory.text("%.1f"), few.memory.text("%.1f"), s.memory.ratios(few.memory).text("%.2f"), "1.5", "1.1")
	}
}

// unlock measures the memory that is left ten seconds after unlocking, with
// either cost of the password.
func (b *bench) unlock() error {
	var memory [2]figures
	var took [2]figures
	for range min(b.pairs, 2) { // a derivation of 1 GiB takes as long as it takes
		for i, profile := range []string{"high", "low"} {
			dir, err := os.MkdirTemp(b.dir, "unlock-")
			if err != nil {
				return err
			}
			p, err := b.serve(dir, "CORTEX_KDF_PROFILE="+profile)
			if err == nil {
				err = p.stop() // the first start made the vault
			}
			if err != nil {
				return err
			}
			if p, err = b.serve(dir); err != nil {
				return err
			}
			d, err := p.took("UNSEALED")
			if err != nil {
				return errors.Join(err, p.kill())
			}
			took[i] = append(took[i], milliseconds(d))
			time.Sleep(settle) // it is what is measured
			n, err := p.anonymous()
			if err := errors.Join(err, p.kill()); err != nil {
				return err
			}
			memory[i] = append(memory[i], mebibytes(n))
		}
	}
	b.table.row("memory 10 s after unlocking, 1 GiB beside 64 MiB, MiB", memory[0].text("%.1f"), memory[1].text("%.1f"), memory[0].ratios(memory[1]).text("%.2f"), "1.2", "1.05")
	b.table.row("unsealing, 1 GiB beside 64 MiB, ms", took[0].text("%.0f"), took[1].text("%.0f"), took[0].ratios(took[1]).text("%.0f"), "", "")
	return nil
}
