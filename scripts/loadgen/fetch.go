package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// warm is how long a load runs before it is counted.
const warm = 400 * time.Millisecond

// fetch measures an attested fetch of ten secrets with a durable audit record,
// beside a server that does the least one can for that.
func (b *bench) fetch() error {
	w, err := b.world()
	if err != nil {
		return err
	}
	floor, err := b.floorserve()
	if err != nil {
		return errors.Join(err, w.kill())
	}
	for _, conns := range b.conns {
		if err := b.fetchWith(w, floor, conns); err != nil {
			return errors.Join(err, w.complaint(), w.kill())
		}
	}
	if floor != nil {
		err = floor.process.kill()
	}
	return errors.Join(err, w.stop())
}

// A world is a server with an agent that has a project of ten secrets.
type world struct {
	*process
	agent *agent
	file  string // of the vault
}

func (b *bench) world(env ...string) (*world, error) {
	dir, err := os.MkdirTemp(b.dir, "world-")
	if err != nil {
		return nil, err
	}
	p, err := b.serve(dir, env...)
	if err != nil {
		return nil, err
	}
	a, err := enrol(p.addr)
	if err != nil {
		return nil, errors.Join(err, p.complaint(), p.kill())
	}
	return &world{p, a, vaultFile(dir)}, nil
}

// A floorserver is the bare server, and the one request it answers.
type floorserver struct {
	*process
	request []byte
}

// floorserve starts the bare server; nil where there is none.
func (b *bench) floorserve() (*floorserver, error) {
	if b.floor == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp(b.dir, "floor-")
	if err != nil {
		return nil, err
	}
	p, err := b.bare("floorserve", dir, "-verify", "-audit", "bolt", "-dir", dir)
	if err != nil {
		return nil, err
	}
	signature, err := os.ReadFile(filepath.Join(dir, "floor.sig"))
	if err != nil {
		return nil, errors.Join(err, p.kill())
	}
	return &floorserver{p, fmt.Appendf(nil, "GET /7 HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer token\r\nX-Att: %s\r\n\r\n", p.addr, signature)}, nil
}

// fetchWith measures with a number of connections and prints the lines.
func (b *bench) fetchWith(w *world, floor *floorserver, conns int) error {
	var rate, floorRate, half, floorHalf, tail, floorTail, work, floorWork, batch figures
	expected := 1000
	for range b.pairs {
		if floor != nil {
			r, busy, err := load{
				conns: conns, warm: warm, length: b.length, want: 200,
				request: func() ([]byte, bool) { return floor.request, true },
			}.on(floor.process)
			if err != nil {
				return fmt.Errorf("floorserve: %w", err)
			}
			floorRate, floorHalf = append(floorRate, r.rate), append(floorHalf, milliseconds(r.quantile(0.5)))
			floorTail = append(floorTail, milliseconds(r.quantile(0.99)))
			floorWork = append(floorWork, busy)
			expected = int(r.rate * (warm + b.length).Seconds())
		}
		requests := w.agent.fetches(expected)
		first, err := commits(w.file)
		if err != nil {
			return err
		}
		r, busy, err := load{conns: conns, warm: warm, length: b.length, want: 200, request: requests}.on(w.process)
		if err != nil {
			return err
		}
		last, err := commits(w.file)
		if err != nil {
			return err
		}
		rate, half, work = append(rate, r.rate), append(half, milliseconds(r.quantile(0.5))), append(work, busy)
		tail, batch = append(tail, milliseconds(r.quantile(0.99))), append(batch, float64(r.answered)/float64(max(1, last-first)))
		expected = int(1.5 * r.rate * (warm + b.length).Seconds())
	}
	what := "fetch of ten, " + connections(conns)
	must, stretch := "0.80", "1.0"
	if conns == 1 {
		must, stretch = "", ""
	}
	b.table.row(what+", requests/s", rate.text("%.0f"), floorRate.text("%.0f"), rate.ratios(floorRate).text("%.2f"), must, stretch)
	if conns == 1 {
		must, stretch = "1.25", "1.1"
	} else {
		must, stretch = "", ""
	}
	b.table.row(what+", p50 in ms", half.text("%.2f"), floorHalf.text("%.2f"), half.ratios(floorHalf).text("%.2f"), must, stretch)
	b.table.row(what+", p99 in ms", tail.text("%.2f"), floorTail.text("%.2f"), tail.ratios(floorTail).text("%.2f"), "", "")
	b.table.row(what+", processor time each, µs", work.text("%.0f"), floorWork.text("%.0f"), work.ratios(floorWork).text("%.2f"), "", "")
	goals := map[int][2]string{1: {"1", "1"}, 64: {"16", "32"}}[conns]
	b.table.row(what+", audit records per fsync", batch.text("%.1f"), "", "", goals[0], goals[1])
	return nil
}
