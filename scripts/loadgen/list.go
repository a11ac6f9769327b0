package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// list measures the administrator's list of 100 000 secrets, whole and by the
// page.
func (b *bench) list() error {
	dir, err := b.filled(100_000)
	if err != nil {
		return err
	}
	p, err := b.serve(dir)
	if err != nil {
		return err
	}
	var whole, page, size figures
	for range b.pairs {
		for _, l := range []struct {
			figure *figures
			query  string
		}{{&whole, ""}, {&page, "?limit=100"}} {
			took, n, err := get(p.addr, "/admin/secrets"+l.query)
			if err != nil {
				return errors.Join(err, p.complaint(), p.kill())
			}
			*l.figure = append(*l.figure, milliseconds(took))
			if l.query == "" {
				size = append(size, mebibytes(n))
			}
		}
	}
	memory, err := p.anonymous()
	if err != nil {
		return err
	}
	b.table.row(fmt.Sprintf("list of 100 000 secrets (%.0f MiB), ms", size.median()), whole.text("%.0f"), "", "", "", "")
	b.table.row("a page of 100 of them, ms", page.text("%.2f"), "", "", "", "")
	b.table.row("memory after these lists, MiB", fmt.Sprintf("%.1f", mebibytes(memory)), "", "", "", "")
	return p.stop()
}

// get sends a request of the administrator and returns how long the answer
// took, and its length.
func get(addr, path string) (time.Duration, int64, error) {
	c, err := dial(addr)
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var body bytes.Buffer
	began := time.Now()
	status, n, err := c.do(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nX-Admin-Token: %s\r\n\r\n", path, addr, adminToken), &body)
	if err == nil && status != 200 {
		err = fmt.Errorf("%s: %d %s", path, status, &body)
	}
	return time.Since(began), n, err
}
