package daemon

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
	"github.com/cortex-auth/cortex/daemon/spawn"
)

// The time limits of a connection.
const (
	requestTimeout = 10 * time.Second // for the whole request line
	answerTimeout  = 10 * time.Second
	lingerTimeout  = time.Second // for what comes from one that is turned away
)

// A connection is a client of our own user.
type connection struct {
	*net.UnixConn
	peer  *peer.Peer
	rest  []byte              // came behind the request line
	files map[string]*os.File // by their names in the request
	// further are the others, which are passed on as they came: nobody here reads or
	// writes them, nor waits for them.
	further []spawn.Further

	agent *sshAgent // of the program; nil without

	bin       *drop.Bin // of all connections
	arrivals  *arrivals // so, too
	places    *shares   // so, too
	large     *shares   // for long requests, so, too
	giveLarge func()    // gives back the one of those that is ours; nil without
	giveWay   func()    // ends the reading of the request
}

// Most requests are short. Those that are not, because a caller's environment
// is, wait for one of a few places until their programs have started: what they
// take is many times their length for a while.
const (
	shortLine   = 64 << 10
	largePlaces = 4
)

// hold waits for a place for a long request.
func (c *connection) hold(ctx context.Context) error {
	if c.giveLarge != nil {
		return nil
	}
	leave, err := c.large.take(ctx, c.peer.UID, requestTimeout)
	c.giveLarge = leave
	return err
}

// let gives the place back, if there is one.
func (c *connection) let() {
	if c.giveLarge != nil {
		c.giveLarge()
		c.giveLarge = nil
	}
}

func (c *connection) close() {
	c.bin.Connection(c.peer.UID, c.UnixConn)
	c.closeFiles()
	c.peer.Close()
	c.let()
}

// turnAway ends a connection whose request was not read. What comes of it is read for a
// while, of so many at a time: a client that is cut off while it writes may not hear why.
func (c *connection) turnAway(why error) {
	c.answer(ipc.Response{Error: why.Error(), ErrorCode: ipc.Busy, Hint: client.Hint(why)})
	c.CloseWrite()
	select {
	case c.arrivals.leaving <- struct{}{}:
		defer func() { <-c.arrivals.leaving }()
	default:
		return
	}
	c.SetReadDeadline(time.Now().Add(lingerTimeout))
	c.drain(ipc.MaxLine)
}

// errClinging is about a user of whose descriptors nothing more is taken: see [drop.Bin.Full].
var errClinging = client.WithHint(errors.New("too many descriptors that came from you do not close"),
	"end what keeps them: a file system that does not answer, such as one over a network, or sockets that linger")

// drain reads up to so many bytes that nobody wants, or up to the end, and drops what comes with them.
func (c *connection) drain(most int) {
	b := make([]byte, 4096)
	for read := 0; read < most && !c.bin.Full(c.peer.UID); {
		n, fds, err := c.reader().Receive(b)
		c.bin.Descriptors(c.peer.UID, fds)
		if err != nil {
			return
		}
		read += n
	}
}

func (c *connection) closeFiles() {
	files, further := c.files, c.further
	c.files, c.further = nil, nil
	var closings []func()
	for _, f := range files {
		closings = append(closings, func() { f.Close() })
	}
	for _, f := range further {
		closings = append(closings, func() { unix.Close(f.FD) })
	}
	c.bin.Do(c.peer.UID, closings...)
}

// reader reads what a client sends.
func (c *connection) reader() drop.Reader {
	return drop.Reader{Conn: c.UnixConn, Bin: c.bin, UID: c.peer.UID}
}

// answer sends the last line, or one of a program that was stopped. A client
// that is gone does not hear it.
func (c *connection) answer(v any) error {
	line, err := ipc.Line(v)
	if err != nil {
		return err
	}
	c.SetWriteDeadline(time.Now().Add(answerTimeout))
	_, err = c.Write(line)
	return err
}

// readRequest reads the request line and the descriptors that come with it.
func (c *connection) readRequest(ctx context.Context) (ipc.Request, error) {
	c.SetReadDeadline(time.Now().Add(requestTimeout))
	defer c.SetReadDeadline(time.Time{})
	defer context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Unix(1, 0)) })()
	var files []int
	defer func() { c.bin.Descriptors(c.peer.UID, files) }()
	line, err := c.readLine(ctx, &files)
	if err != nil {
		return ipc.Request{}, fmt.Errorf("reading the request: %w", err)
	}
	req, err := ipc.ParseRequest(line)
	if err != nil {
		return ipc.Request{}, err
	}
	if len(files) != len(req.FDs) {
		return ipc.Request{}, fmt.Errorf("%w: %d descriptors came, %d are named", ipc.ErrMalformed, len(files), len(req.FDs))
	}
	c.files = make(map[string]*os.File, len(files))
	for i, name := range req.FDs {
		if n, ok := ipc.Further(name); ok {
			c.further = append(c.further, spawn.Further{Number: n, FD: files[i]})
		} else {
			c.files[name] = os.NewFile(uintptr(files[i]), "passed")
		}
	}
	files = nil
	return req, nil
}

// readLine reads up to the first LF. Whatever descriptors come are put into
// files, also when it fails.
func (c *connection) readLine(ctx context.Context, files *[]int) ([]byte, error) {
	buf := make([]byte, 0, 16<<10)
	for {
		if len(buf) == cap(buf) {
			if len(buf) >= shortLine {
				if err := c.hold(ctx); err != nil {
					return nil, err
				}
			}
			buf = append(make([]byte, 0, min(2*cap(buf), ipc.MaxLine)), buf...)
		}
		if c.bin.Full(c.peer.UID) {
			return nil, errClinging
		}
		n, fds, err := c.reader().Receive(buf[len(buf):cap(buf)])
		*files = append(*files, fds...)
		if errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if len(*files) > ipc.MaxFiles {
			return nil, errFiles
		}
		from := len(buf)
		buf = buf[:from+n]
		if i := bytes.IndexByte(buf[from:], '\n'); i >= 0 {
			c.rest = bytes.Clone(buf[from+i+1:]) // and not the whole buffer
			return buf[:from+i], nil
		}
		if len(buf) == ipc.MaxLine {
			return nil, ipc.ErrTooLong
		}
	}
}

var errFiles = fmt.Errorf("%w: too many descriptors", ipc.ErrMalformed)

// errGone is the cause of a run's end when its client goes away.
var errGone = errors.New("the client is gone")

// maxSignalLine is the longest line a launcher sends while its program runs.
const maxSignalLine = 4096

// follow delivers the signals a launcher of version 1 sends, and tells by gone
// when the client has ended. It returns when the connection is closed.
func (c *connection) follow(version int, signals chan<- ipc.Signal, gone func()) {
	defer gone()
	if version == 0 {
		c.waitHangup()
		return
	}
	r := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(c.rest), c.reader()), maxSignalLine)
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		s, err := ipc.ParseSignal(line)
		if err != nil {
			return
		}
		select {
		case signals <- s:
		default: // a flood; nobody sends that many in earnest
		}
	}
}
