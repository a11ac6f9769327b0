package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A load is a closed loop: each of its connections sends the next request when
// the answer to the last one was read.
type load struct {
	addr  string
	conns int
	// request returns the bytes of a request, and false when there are no more.
	request func() ([]byte, bool)
	// warm is not counted, length is. If length is zero, everything is, until
	// there are no more requests.
	warm, length time.Duration
	want         int // status; 0: any
}

// A result is what became of a load.
type result struct {
	rate     float64         // counted answers a second
	took     []time.Duration // of those, sorted
	answered int             // all, also those that were not counted
}

// quantile returns the time that a share q of the requests took at most.
func (r result) quantile(q float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	return r.took[min(len(r.took)-1, int(q*float64(len(r.took))))]
}

// on applies the load to a process, and returns besides how much processor
// time each request took there, in microseconds.
func (l load) on(p *process) (result, float64, error) {
	l.addr = p.addr
	before, err := p.busy()
	if err != nil {
		return result{}, 0, err
	}
	r, err := l.run()
	if err != nil {
		return r, 0, errors.Join(err, p.complaint())
	}
	after, err := p.busy()
	return r, float64((after - before).Microseconds()) / float64(max(1, r.answered)), err
}

// run applies the load.
func (l load) run() (result, error) {
	began := time.Now()
	from := began.Add(l.warm)
	until := from.Add(l.length)
	took := make([][]time.Duration, l.conns)
	answered := make([]int, l.conns)
	errs := make([]error, l.conns)
	var wg sync.WaitGroup
	for i := range l.conns {
		wg.Go(func() { took[i], answered[i], errs[i] = l.loop(from, until) })
	}
	wg.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	length := l.length
	if length == 0 {
		length = time.Since(began)
	}
	r := result{rate: float64(len(all)) / length.Seconds(), took: all}
	for _, n := range answered {
		r.answered += n
	}
	return r, errors.Join(errs...)
}

// loop is one connection. It returns how long the requests took that were
// answered between from and until, and how many were answered at all.
func (l load) loop(from, until time.Time) (took []time.Duration, answered int, err error) {
	c, err := dial(l.addr)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	for {
		request, ok := l.request()
		if !ok {
			return took, answered, nil
		}
		sent := time.Now()
		status, _, err := c.do(request, nil)
		if err == nil && l.want != 0 && status != l.want {
			err = fmt.Errorf("status %d", status)
		}
		if err != nil {
			return took, answered, err
		}
		answered++
		now := time.Now()
		if l.length > 0 && now.After(until) {
			return took, answered, nil
		}
		if now.After(from) {
			took = append(took, now.Sub(sent))
		}
	}
}

// A conn is an HTTP/1.1 connection that is kept open. It does as little as it
// can, because it shares the processors with the server.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(addr string) (conn, error) {
	c, err := net.Dial("tcp", addr)
	return conn{c, bufio.NewReader(c)}, err
}

var contentLength = []byte("content-length:")

// do sends a request and reads the answer, its body into a buffer if there is
// one.
func (c conn) do(request []byte, body io.Writer) (status int, length int64, err error) {
	if _, err := c.Write(request); err != nil {
		return 0, 0, err
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < 12 {
		return 0, 0, fmt.Errorf("no status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, err
	}
	length = -1
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(line[len(contentLength):])), 10, 64); err != nil {
				return 0, 0, err
			}
		}
	}
	if length < 0 {
		return 0, 0, errors.New("an answer without its length")
	}
	if body == nil {
		body = io.Discard
	}
	_, err = io.CopyN(body, c.r, length)
	return status, length, err
}
