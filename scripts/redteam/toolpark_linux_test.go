package redteam

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// park sends the same request so many times, and leaves all of them waiting once each was
// answered something. With this directory it sends as many descriptors of a terminal as the
// request has names for.
func park(sock, text, request string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	dir, err := os.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	files := []int{int(dir.Fd())}
	if strings.Contains(request, `"terminal","relay"`) {
		_, tty, err := pty.Open()
		if err != nil {
			return err
		}
		relay, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		files = append(files, int(tty.Fd()), relay[0])
	}
	var conns []*net.UnixConn
	for range n {
		conn, err := ask(sock, []byte(request+"\n"), files...)
		if err != nil {
			return err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			return err
		}
	}
	fmt.Println("parked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// nag sends a request and more signals for its program, line by line, than answers fit
// into a socket, and reads none of these.
func nag(sock, request string) error {
	dir, err := os.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	conn, err := ask(sock, []byte(request+"\n"), int(dir.Fd()))
	if err != nil {
		return err
	}
	defer conn.Close()
	// Until the program runs they would end the run.
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	for range 20_000 {
		if _, err := fmt.Fprintln(conn, `{"signal":15}`); err != nil {
			return err
		}
	}
	fmt.Println("nagged")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// drip sends so many requests that are as long as one may be, and never end.
func drip(sock, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	const most = 4 << 20
	long := append([]byte(`{"cmd":"`), bytes.Repeat([]byte("x"), most-16)...)
	whole := make(chan bool, n)
	for range n {
		conn, err := net.Dial("unix", sock)
		if err != nil {
			return err
		}
		defer conn.Close()
		go func() {
			_, err := conn.Write(long)
			whole <- err == nil
		}()
	}
	for arrived := 0; arrived < 2; { // others wait
		if <-whole {
			arrived++
		}
	}
	fmt.Println("dripping")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
