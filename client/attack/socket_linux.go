package attack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// nobody is another user, of whom nothing is known.
const nobody = 65534

// as makes a command another user's.
func as(cmd *exec.Cmd, uid uint32) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// stranger connects to the daemon's socket as another user.
func stranger(ctx context.Context, t *target) (finding, error) {
	if !t.root {
		return untried("only root can be another user as well")
	}
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := as(t.called(ctx, "cortex", "doctor", "--inside", "connect", t.Sock), nobody)
		cmd.Dir = "/" // ours is closed to others
		return cmd
	})
	if err != nil {
		return untried("another user cannot execute this program: %v", err)
	}
	if o.status == 0 {
		return open("the daemon answered another user")
	}
	return stopped("%s", o.text())
}

// secondDaemon starts another daemon at the socket of the one that runs.
func secondDaemon(ctx context.Context, t *target) (finding, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cmd := t.called(ctx, "cortex-daemon", "--sock", t.Sock)
	home, err := t.scratch("second")
	if err != nil {
		return finding{}, err
	}
	cmd.Env = append(environment(), "CORTEX_HOME="+home) // it has no login, and does nothing else
	text, err := cmd.CombinedOutput()
	now, findErr := t.findDaemon()
	if findErr == nil {
		defer now.close()
	}
	switch {
	case findErr != nil || now.pid != t.daemon.pid:
		return open("a second daemon took the socket of the first")
	case ctx.Err() != nil:
		return open("a second daemon went on at the socket of the first")
	case err == nil:
		return untried("a second daemon ended, and said nothing")
	}
	return stopped("a second daemon did not start: %s", lastLine(text))
}

func lastLine(text []byte) string {
	last := ""
	s := bufio.NewScanner(newReader(text))
	for s.Scan() {
		if len(s.Text()) > 0 && !startsWith(s.Text(), "time=", "cortex: hint:") {
			last = s.Text()
		}
	}
	return last
}

// replaceSocket finds out whether the socket could be renamed, and another put in its
// place. It makes and renames a name beside it: who can do that can do the other.
func replaceSocket(_ context.Context, t *target) (finding, error) {
	dir := filepath.Dir(t.Sock)
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return finding{}, err
	}
	name := filepath.Join(dir, filepath.Base(t.dir))
	err := os.Symlink(t.Sock, name)
	if err == nil {
		err = errors.Join(os.Rename(name, name+".renamed"), os.Remove(name+".renamed"))
	}
	switch {
	case err != nil:
		return stopped("the directory of the socket is %s's (%v)", somebody(int(st.Uid)), unwrapped(err))
	case st.Mode&unix.S_ISVTX != 0 && int(st.Uid) != os.Geteuid():
		return stopped("the directory of the socket is sticky")
	}
	return open("names in the socket's directory can be made and renamed, the socket's too")
}

// A fake is a socket that is no daemon's, and keeps what it is asked.
type fake struct {
	path  string
	l     net.Listener
	wg    sync.WaitGroup
	calls atomic.Int64
	asked chan []byte
}

func (t *target) newFake(name string) (*fake, error) {
	dir, err := t.scratch(name)
	if err != nil {
		return nil, err
	}
	f := &fake{path: filepath.Join(dir, "s"), asked: make(chan []byte, 16)}
	if f.l, err = net.Listen("unix", f.path); err != nil {
		return nil, err
	}
	f.wg.Go(func() {
		for {
			conn, err := f.l.Accept()
			if err != nil {
				return
			}
			f.calls.Add(1)
			conn.SetDeadline(time.Now().Add(patience))
			line, _ := bufio.NewReader(conn).ReadBytes('\n')
			select {
			case f.asked <- line:
			default:
			}
			fmt.Fprintln(conn, `{"ok":true,"exit_code":0}`)
			conn.Close()
		}
	})
	return f, nil
}

// close ends the fake, and returns all that it was asked.
func (f *fake) close() (all []byte) {
	f.l.Close()
	f.wg.Wait()
	close(f.asked)
	for line := range f.asked {
		all = append(all, line...)
	}
	return all
}

// fakeDaemon has the launcher use a daemon of ours.
func fakeDaemon(ctx context.Context, t *target) (finding, error) {
	f, err := t.newFake("fake")
	if err != nil {
		return finding{}, err
	}
	secret := newControl()
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := t.called(ctx, "cortex", "run", "--canary", "--sock", f.path, "--", "true")
		cmd.Env = append(cmd.Env, "CONTROL="+secret)
		return cmd
	})
	asked := f.close()
	switch {
	case err != nil:
		return finding{}, err
	case holdsCanary(asked):
		return open("it was sent the canary")
	case holds(asked, controlPrefix):
		return open("it was sent the launcher's environment; no value of the vault, which it has no key to get")
	}
	return stopped("the launcher refused it: %s", o.text())
}

// foreignDaemon has the launcher use the daemon of another user.
func foreignDaemon(ctx context.Context, t *target) (finding, error) {
	if !t.root {
		return untried("only root can be another user as well")
	}
	dir, err := os.MkdirTemp("", "cortex-attack-")
	if err != nil {
		return finding{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		return finding{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sock := filepath.Join(dir, "s")
	squatter := as(t.called(ctx, "cortex", "doctor", "--inside", "listen", sock), nobody)
	squatter.Dir = "/"
	out, err := squatter.StdoutPipe()
	if err != nil {
		return finding{}, err
	}
	if err := squatter.Start(); err != nil {
		return untried("another user cannot execute this program: %v", err)
	}
	defer squatter.Wait()
	heard := bufio.NewReader(out)
	if line, err := heard.ReadString('\n'); err != nil || line != "listening\n" {
		return untried("another user could not make a socket: %v", err)
	}
	o, err := t.output(ctx, func(ctx context.Context) *exec.Cmd {
		return t.called(ctx, "cortex", "run", "--canary", "--sock", sock, "--", "true")
	})
	if err != nil {
		return finding{}, err
	}
	if line, _ := heard.ReadString('\n'); line != "heard 0 bytes\n" {
		return open("another user's daemon heard the request")
	}
	return stopped("the launcher: %s", o.text())
}
