package redteam

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// askMany asks the same so many times, a few at once, each with this directory as the one
// to run in.
func askMany(sock, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	request, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	dir, err := os.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	numbers := make(chan int)
	failed := make(chan error, n)
	var mu sync.Mutex // guards standard output
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i := range numbers {
				answer, err := askOnce(sock, bytes.ReplaceAll(request, []byte("%d"), strconv.AppendInt(nil, int64(i), 10)), int(dir.Fd()))
				if err != nil {
					failed <- err
					continue
				}
				mu.Lock()
				os.Stdout.Write(append(bytes.TrimSpace(answer), '\n'))
				mu.Unlock()
			}
		})
	}
	for i := range n {
		numbers <- i
	}
	close(numbers)
	asking.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func askOnce(sock string, request []byte, dir int) ([]byte, error) {
	conn, err := ask(sock, request, dir)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return io.ReadAll(conn)
}

// ask sends a request to a daemon, with descriptors: the first is the directory that it is
// to be carried out in.
func ask(sock string, request []byte, files ...int) (*net.UnixConn, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if _, _, err := conn.WriteMsgUnix(request, unix.UnixRights(files...), nil); err != nil {
		conn.Close()
		return nil, fmt.Errorf("asking: %w", err)
	}
	return conn, nil
}
