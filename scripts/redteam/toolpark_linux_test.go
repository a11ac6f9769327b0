package redteam

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// park sends the same request so many times, and leaves all of them waiting once each was
// answered something.
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
	var conns []*net.UnixConn
	for range n {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"})
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, _, err := conn.WriteMsgUnix([]byte(request+"\n"), unix.UnixRights(int(dir.Fd())), nil); err != nil {
			return err
		}
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
