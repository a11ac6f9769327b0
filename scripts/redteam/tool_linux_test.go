package redteam

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
)

// toolName is what this program is called where it is what an attacker brings along.
const toolName = "redtool"

// tool returns where it is: beside the program.
var tool = once(func() string {
	path := filepath.Join(bin, toolName)
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(path, text, 0o755)
	}
	if err != nil {
		stage.Fatal(err)
	}
	return path
})

// otherwise reports whether this program is not to make moves here, but is the tool
// or makes them elsewhere, and its exit status then.
func otherwise() (status int, done bool) {
	if filepath.Base(os.Args[0]) == toolName {
		syscall.Exit(toolMain(os.Args[1:])) // os.Exit would wait a second for the race detector
	}
	return elsewhere()
}

// toolMain is its main function:
//
//	assert DIR AGENT URL   asks a server for an access token by an agent's key
//	seed DIR AGENT         prints the key as it is in memory
//	say SOCK               sends standard input to a socket, and prints the answer
//	hold SOCK N            holds connections, on which it says nothing
//	park SOCK N REQUEST    sends a request so many times, and leaves all of them waiting
//	nag SOCK REQUEST       sends a request, and signals for its program, and reads nothing
//	drip SOCK N            sends so many requests that are long, and do not end
//	cling SOCK N           leaves descriptors behind that take long to close, N times
//	ask SOCK N             sends the request on standard input so many times, with the
//	                       number of the time for each %d in it, and prints the answers
//	bequeath SOCK REQUEST  sends a request but for its end, which another process
//	                       sends after a line on standard input; tells its own id
//	heir                   is that other process
//	agent                  sends the messages on standard input, one in hexadecimal
//	                       digits on each line, to the SSH agent, and prints the
//	                       answers; an empty line is a new connection
func toolMain(args []string) int {
	var err error
	switch args[0] {
	case "assert":
		err = assertKey(args[1], args[2], args[3])
	case "seed":
		err = printSeed(args[1], args[2])
	case "say":
		err = say(args[1])
	case "hold":
		err = holdOpen(args[1], args[2])
	case "park":
		err = park(args[1], args[2], args[3])
	case "nag":
		err = nag(args[1], args[2])
	case "drip":
		err = drip(args[1], args[2])
	case "cling":
		err = cling(args[1], args[2])
	case "ask":
		err = askMany(args[1], args[2])
	case "bequeath":
		err = bequeath(args[1], args[2])
	case "heir":
		err = inherit()
	case "agent":
		err = talk(os.Getenv("SSH_AUTH_SOCK"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func assertKey(dir, agent, url string) error {
	key, err := identity.Load(identity.Path(dir, agent), agent)
	if err != nil {
		return err
	}
	defer key.Destroy()
	request, err := key.Assert()
	if err != nil {
		return err
	}
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		return err
	}
	answer, err := c.DeviceToken(context.Background(), request)
	if err != nil {
		return err
	}
	fmt.Printf("a token of %d bytes\n", answer.AccessToken.Len())
	return nil
}

func printSeed(dir, agent string) error {
	text, err := os.ReadFile(identity.Path(dir, agent))
	if err != nil {
		return err
	}
	seed, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err == nil {
		_, err = os.Stdout.Write(seed)
	}
	return err
}

func say(sock string) error {
	conn, err := net.Dial("unix", sock)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.Copy(conn, os.Stdin); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

func talk(sock string) error {
	var conn net.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if lines.Text() == "" || conn == nil {
			next, err := net.Dial("unix", sock)
			if err != nil {
				return err
			}
			conn = next // the last one stays open, too
		}
		if lines.Text() == "" {
			continue
		}
		message, err := hex.DecodeString(lines.Text())
		if err != nil {
			return err
		}
		answer, err := exchange(conn, message)
		if err != nil {
			fmt.Println("closed")
			conn = nil
			continue
		}
		fmt.Printf("%x\n", answer)
	}
	return lines.Err()
}

// exchange sends one message, and returns the answer.
func exchange(conn net.Conn, message []byte) ([]byte, error) {
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	head := make([]byte, 4)
	if _, readErr := io.ReadFull(conn, head); readErr != nil {
		return nil, errors.Join(err, readErr)
	}
	answer := make([]byte, min(binary.BigEndian.Uint32(head), 1<<20))
	_, err = io.ReadFull(conn, answer)
	return answer, err
}

func holdOpen(sock, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	for range n {
		conn, err := net.Dial("unix", sock)
		if err != nil {
			return err
		}
		defer conn.Close()
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func bequeath(sock, request string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		return err
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return err
	}
	file, err := conn.File()
	if err != nil {
		return err
	}
	heir := exec.Command("/proc/self/exe", "heir")
	heir.Args[0] = toolName
	heir.ExtraFiles, heir.Stdin, heir.Stdout, heir.Stderr = []*os.File{file}, os.Stdin, os.Stdout, os.Stderr
	if err := heir.Start(); err != nil {
		return err
	}
	fmt.Println(os.Getpid())
	return heir.Wait()
}

func inherit() error {
	conn := os.NewFile(3, "connection")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("\n")); err != nil {
		return err
	}
	_, err := io.Copy(os.Stdout, conn)
	return err
}
