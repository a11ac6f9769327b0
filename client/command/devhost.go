package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/vault/opaque"
)

const (
	// devReady is how long a part may take to be ready; devStop how long to
	// end before it is killed.
	devReady = 60 * time.Second
	devStop  = 10 * time.Second
)

// A devHost starts the parts of cortex as processes of their own, in a directory
// that goes away with it.
type devHost struct {
	dir    string // 0700
	exe    string
	notify *net.UnixConn
	parts  []*part
}

// newDevHost makes the directory and the socket on which parts say that they are
// ready.
func newDevHost() (h *devHost, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	dir, err := os.MkdirTemp("", "cortex-dev-")
	if err != nil {
		return nil, client.WithHint(fmt.Errorf("making a directory: %w", err), "name one that exists: TMPDIR=/tmp cortex dev …")
	}
	// What a path of a socket may have, less what comes behind dir.
	if len(dir) > 80 {
		os.Remove(dir)
		return nil, client.WithHint(fmt.Errorf("the path %s is too long for sockets in it", dir), "take a shorter one: TMPDIR=/tmp cortex dev …")
	}
	h = &devHost{dir: dir, exe: exe}
	addr := &net.UnixAddr{Name: h.path("notify"), Net: "unixgram"}
	if h.notify, err = net.ListenUnixgram("unixgram", addr); err != nil {
		h.close()
		return nil, fmt.Errorf("listening for the parts to be ready: %w", err)
	}
	return h, nil
}

func (h *devHost) path(name string) string { return filepath.Join(h.dir, name) }

// close ends every part, the last one first, and removes the directory.
func (h *devHost) close() error {
	var errs []error
	for len(h.parts) > 0 {
		last := h.parts[len(h.parts)-1]
		h.parts = h.parts[:len(h.parts)-1]
		errs = append(errs, last.stop())
	}
	if h.notify != nil {
		h.notify.Close()
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}

// stay returns when ctx ends, and with an error when a part does before.
func (h *devHost) stay(ctx context.Context) error {
	ended := make(chan *part, len(h.parts))
	for _, p := range h.parts {
		go func() {
			<-p.done
			ended <- p
		}()
	}
	select {
	case <-ctx.Done():
		return nil
	case p := <-ended:
		return fmt.Errorf("dev: %s has ended (%v): %s", p.name, p.err, p.out)
	}
}

// A part is one running process.
type part struct {
	name string
	cmd  *exec.Cmd
	out  *lastWords
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// start runs this program under another name, and returns what it announced
// under key once it is ready. input goes to its standard input, and secret to
// descriptor 3, if there is one.
func (h *devHost) start(ctx context.Context, name, key string, env []string, input, secret opaque.Bytes) (string, error) {
	p := &part{name: name, out: &lastWords{}, done: make(chan struct{})}
	p.cmd = &exec.Cmd{
		Path: h.exe, Args: []string{name}, Dir: h.dir, Stdout: p.out, Stderr: p.out,
		Env:         append(env, "NOTIFY_SOCKET="+h.path("notify"), "HOME="+h.dir, "PATH="+os.Getenv("PATH"), "TMPDIR="+os.Getenv("TMPDIR")),
		SysProcAttr: childAttr(),
		Stdin:       bytes.NewReader(append(bytes.Clone(input.Reveal()), '\n')),
		WaitDelay:   time.Second,
	}
	if !secret.IsZero() {
		r, err := filled(secret)
		if err != nil {
			return "", err
		}
		defer r.Close()
		p.cmd.ExtraFiles = []*os.File{r}
	}
	if err := p.cmd.Start(); err != nil {
		return "", fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	h.parts = append(h.parts, p)
	return h.ready(ctx, p, key)
}

// filled returns the reading end of a pipe that holds secret, which is small.
func filled(secret opaque.Bytes) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Write(secret.Reveal()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// ready waits until p says that it is, and returns what it says under key.
func (h *devHost) ready(ctx context.Context, p *part, key string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, devReady)
	defer cancel()
	interrupt := func() { h.notify.SetReadDeadline(time.Unix(1, 0)) }
	defer context.AfterFunc(ctx, interrupt)()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-p.done:
			interrupt()
		case <-ended:
		}
	}()
	message := make([]byte, 4096)
	for {
		n, err := h.notify.Read(message)
		if err != nil {
			return "", p.notReady(ctx)
		}
		if values := parseNotify(string(message[:n])); values["READY"] == "1" {
			return values[key], nil
		}
	}
}

// notReady says why a part is not.
func (p *part) notReady(ctx context.Context) error {
	select {
	case <-p.done:
		return fmt.Errorf("%s did not start (%v): %s", p.name, p.err, p.out)
	default:
		return fmt.Errorf("%s is not ready: %w", p.name, context.Cause(ctx))
	}
}

// parseNotify takes a readiness message apart, as sd_notify(3) describes it.
func parseNotify(message string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(message) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			values[key] = value
		}
	}
	return values
}

// stop asks a part to end, and makes it if it does not.
func (p *part) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(devStop):
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end and was killed", p.name)
	}
	return nil
}
