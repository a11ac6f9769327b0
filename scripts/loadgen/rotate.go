package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// readers is how many connections fetch while the key is rotated.
const readers = 8

// rotate measures the rotation of the KEK: how fast it goes, beside a bare
// program that wraps and writes as many rows; what fetches feel of it; and what
// memory it takes. The compaction that follows counts apart.
func (b *bench) rotate() error {
	for _, n := range slices.Compact([]int{min(10_000, b.rows), b.rows}) {
		dir, err := b.filled(n)
		if err != nil {
			return err
		}
		p, err := b.serve(dir)
		if err != nil {
			return err
		}
		var r rotations
		a, err := enrol(p.addr)
		for range b.pairs {
			if err == nil {
				err = b.rotateOnce(&r, p, a, n)
			}
		}
		if err != nil {
			return errors.Join(err, p.complaint(), p.kill())
		}
		if err := p.stop(); err != nil {
			return err
		}
		b.rotateRows(n, r)
	}
	return nil
}

// rotations is what was seen of the rotations of one vault.
type rotations struct {
	rate, bareRate             figures // rows a second
	compaction                 figures // s
	idle, wrapping, compacting figures // p99 of a fetch, ms
	added                      figures // MiB
	waited                     figures // ms
}

// rotateOnce takes each figure once: a rotation alone, and one under load.
func (b *bench) rotateOnce(r *rotations, p *process, a *agent, n int) error {
	if b.floor != "" {
		rate, err := b.bareRotation(n)
		if err != nil {
			return err
		}
		r.bareRate = append(r.bareRate, rate)
	}
	if _, err := p.rotateKey(func(phase) error { return nil }); err != nil {
		return err
	}
	took, err := p.took("everything is under the new key")
	if err != nil {
		return err
	}
	compacted, err := p.took("compacted the vault file")
	if err != nil {
		return err
	}
	r.rate, r.compaction = append(r.rate, float64(n)/took.Seconds()), append(r.compaction, compacted.Seconds())
	return b.rotateUnderLoad(r, p, a)
}

// rotateUnderLoad measures fetches while nothing else goes on, then while the rows
// are wrapped anew, and then while the file is compacted.
func (b *bench) rotateUnderLoad(r *rotations, p *process, a *agent) error {
	idle, err := load{addr: p.addr, conns: readers, warm: warm, length: b.length, want: 200, request: a.fetches(1000)}.run()
	if err != nil {
		return err
	}
	var during [over]result
	stop := func() (result, error) { return result{}, nil }
	last := deriving
	added, err := p.rotateKey(func(now phase) (err error) {
		if during[last], err = stop(); err != nil || now == over {
			return err
		}
		last, stop = now, a.fetching(readers)
		return nil
	})
	if err != nil {
		return err
	}
	p99 := func(r result) float64 { return milliseconds(r.quantile(0.99)) }
	r.idle = append(r.idle, p99(idle))
	r.wrapping = append(r.wrapping, p99(during[wrapping]))
	r.compacting = append(r.compacting, p99(during[compacting]))
	r.added = append(r.added, mebibytes(added))
	waited, err := p.took("updates waited for the compacted file")
	r.waited = append(r.waited, milliseconds(waited))
	return err
}

// fetching begins to fetch with so many connections, until it is stopped.
func (a *agent) fetching(conns int) (stop func() (result, error)) {
	var over atomic.Bool
	var r result
	loaded := make(chan error, 1)
	next := a.fetches(1000)
	go func() {
		var err error
		r, err = load{addr: a.addr, conns: conns, want: 200, request: func() ([]byte, bool) {
			request, _ := next()
			return request, !over.Load()
		}}.run()
		loaded <- err
	}()
	return func() (result, error) {
		over.Store(true)
		err := <-loaded
		return r, err
	}
}

// A phase is how far a rotation of the key has come.
type phase int

const (
	deriving   phase = iota // the password is still being made expensive
	wrapping                // the rows are wrapped anew
	compacting              // the file is written anew
	over
)

// rotateKey rotates the key, to the password that there is, and waits until the
// file is compacted as well. It calls at when each phase begins. It returns how much
// anonymous memory the process had at most, above what it had when the wrapping
// began.
func (p *process) rotateKey(at func(phase) error) (added int64, err error) {
	before, err := p.rotation()
	if err != nil {
		return 0, err
	}
	answered := make(chan error, 1)
	go func() {
		answered <- admin(p.addr, "POST", "/admin/rotate-key", object{"new_kek_password": password}, nil)
	}()
	var least, most int64
	last := deriving
	for began := time.Now(); time.Since(began) < patience; {
		now, err := p.rotation()
		if err != nil {
			return 0, err
		}
		memory, err := p.anonymous()
		if err != nil {
			return 0, err
		}
		if last == deriving {
			least, most = memory, memory
		}
		most = max(most, memory)
		for next := now.phase(before); last < next; {
			last++
			if err := at(last); err != nil {
				return 0, err
			}
		}
		if last == over {
			return most - least, <-answered
		}
		time.Sleep(time.Millisecond) // it tells nobody when it goes on
	}
	return 0, errors.New("the rotation does not end")
}

// A rotation is how far the last one has come.
type rotation struct {
	To         uint32  `json:"to_version"`
	Finished   *string `json:"finished_at"`
	Compacting bool    `json:"compacting"`
}

// phase tells how far it is, beside the one before.
func (r rotation) phase(before rotation) phase {
	switch {
	case r.To == before.To:
		return deriving
	case r.Finished == nil:
		return wrapping
	case r.Compacting:
		return compacting
	}
	return over
}

// rotation asks the server; there may have been none.
func (p *process) rotation() (r rotation, err error) {
	err = admin(p.addr, "GET", "/admin/rotate-key", nil, &r)
	if err != nil && strings.Contains(err.Error(), ": 404 ") {
		err = nil
	}
	return r, err
}

// bareRotation returns how many rows a second the bare program wraps anew and
// writes, in pieces of 10 000.
func (b *bench) bareRotation(n int) (float64, error) {
	const figure = "rewrap+rewrite, 10k chunks"
	out, err := exec.Command(filepath.Join(b.floor, "limits"), "rotate", "-n", "1", "-rows", strconv.Itoa(n), "-dir", b.dir, "-only", figure).Output()
	if err != nil {
		return 0, fmt.Errorf("limits: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(line, "\t")
		if len(fields) < 3 || !strings.HasSuffix(strings.TrimSpace(fields[0]), figure) {
			continue
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(fields[2]), 64)
		return float64(n) / seconds, err
	}
	return 0, fmt.Errorf("limits says nothing of %q", figure)
}

func (b *bench) rotateRows(n int, r rotations) {
	what := fmt.Sprintf("rotation of the key, %d rows", n)
	b.table.row(what+", rows/s", r.rate.text("%.0f"), r.bareRate.text("%.0f"), r.rate.ratios(r.bareRate).text("%.2f"), "0.80", "1.1")
	b.table.row(what+", the compaction after it, s", r.compaction.text("%.2f"), "", "", "", "")
	fetch := ", p99 of a fetch, " + connections(readers) + ", beside none, ms"
	b.table.row(what+fetch, r.wrapping.text("%.1f"), r.idle.text("%.1f"), r.wrapping.ratios(r.idle).text("%.1f"), "3", "1.5")
	b.table.row(what+", the compaction after it"+fetch, r.compacting.text("%.1f"), r.idle.text("%.1f"), r.compacting.ratios(r.idle).text("%.1f"), "3", "1.5")
	b.table.row(what+", how long updates wait for the compacted file under that load, ms", r.waited.text("%.1f"), "", "", "", "")
	b.table.row(what+", memory it adds under that load, MiB", r.added.text("%.1f"), "", "", "64", "32")
}
