package e2e_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// What the program of a holder finds in its environment: where to connect to,
// and how often; and whether that speaks TLS.
const (
	holdAddr = "CORTEX_E2E_HOLD"
	holdMany = "CORTEX_E2E_HOLD_MANY"
	holdTLS  = "CORTEX_E2E_HOLD_TLS"
)

// A manner is a way to hold a connection: what to say on it, and below which
// protocol of TLS, if any.
type manner struct{ say, proto string }

const (
	halfHeader = "GET / HTTP/1.1\r\nHost: x\r\nX-A: "
	thenIdle   = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
	// A request with HTTP/2 whose body never comes: an empty SETTINGS frame, and HEADERS that do not end the stream.
	stalled = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" +
		"\x00\x00\x2a\x01\x04\x00\x00\x00\x01" + "\x83\x87\x41\x01x" + "\x44\x11/device/authorize" + "\x5f\x10application/json"
)

func manners(sealed bool) []manner {
	if sealed {
		return []manner{{}, {halfHeader, "http/1.1"}, {thenIdle, "http/1.1"}, {stalled, "h2"}}
	}
	return []manner{{}, {halfHeader, ""}, {thenIdle, ""}, {thenIdle, ""}}
}

// hold opens connections by the thousand and does little with each. It is a
// program of its own, for the sake of its descriptors. It says when it has
// opened all, which the server may have closed again, and holds them until its
// standard input ends.
func hold() error {
	many, err := strconv.Atoi(os.Getenv(holdMany))
	if err != nil {
		return err
	}
	manners := manners(os.Getenv(holdTLS) != "")
	held, todo := make([]net.Conn, many), make(chan int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range todo {
				held[i], _ = manners[i/2%len(manners)].hold(os.Getenv(holdAddr), i) // the server may refuse
			}
		})
	}
	for i := range many {
		todo <- i
	}
	close(todo)
	wg.Wait()
	fmt.Println("holding")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// hold opens the i-th connection. Half of them have addresses of their own, the
// others share one with 199.
func (m manner) hold(addr string, i int) (net.Conn, error) {
	from := net.IPv4(127, 1, byte(i>>8), byte(i))
	if i%2 == 0 {
		from = net.IPv4(127, 0, 1, byte(i/400))
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if m.proto != "" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{m.proto}})
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	_, err = io.WriteString(conn, m.say)
	return conn, err
}
