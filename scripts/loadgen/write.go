package main

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// write measures the making of a secret with a value of 64 bytes.
func (b *bench) write() error {
	w, err := b.world()
	if err != nil {
		return err
	}
	var made atomic.Int64
	next := func() ([]byte, bool) {
		body := fmt.Sprintf(`{"key_path":"written/%d","secret_type":"KEY_VALUE","value":"%s"}`, made.Add(1), strings.Repeat("v", 64))
		return post(w.addr, "/admin/secrets", adminToken, body), true
	}
	for _, conns := range b.conns {
		var rate, tail figures
		for range b.pairs {
			r, err := load{addr: w.addr, conns: conns, warm: warm, length: b.length, request: next}.run()
			if err != nil {
				return errors.Join(err, w.complaint(), w.kill())
			}
			rate, tail = append(rate, r.rate), append(tail, milliseconds(r.quantile(0.99)))
		}
		what := "new secret, " + connections(conns)
		b.table.row(what+", requests/s", rate.text("%.0f"), "", "", "", "")
		b.table.row(what+", p99 in ms", tail.text("%.2f"), "", "", "", "")
	}
	return w.stop()
}

// post returns a request of the administrator.
func post(addr, path, token, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nX-Admin-Token: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		path, addr, token, len(body), body)
}
