package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long anything awaited may take.
const patience = 5 * time.Minute

// The secrets of the vaults made here, which guard nothing.
const (
	password   = "correct horse battery staple"
	adminToken = "the-admin-token-of-a-benchmark"
)

// A process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	addr  string        // host and port, or a path
	log   string        // file
	ready time.Duration // from its start until it said that it was ready
}

// serve starts cortex on a vault file in dir and waits until it says that it is
// ready.
func (b *bench) serve(dir string, env ...string) (*process, error) {
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	defer os.Remove(filepath.Join(dir, "notify"))
	defer notify.Close()
	cmd := exec.Command(b.cortex, "serve")
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "NOTIFY_SOCKET=" + filepath.Join(dir, "notify"), "DATABASE_URL=" + vaultFile(dir),
		"CORTEX_KEK_PASSWORD=" + password, "ADMIN_TOKEN=" + adminToken, "PORT=0", "INSECURE_HTTP=1", "CORTEX_KDF_PROFILE=low",
	}, env...)
	p := &process{cmd: cmd, log: filepath.Join(dir, "server.log")}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, p.await(notify, "X_CORTEX_URL=http://")
}

func vaultFile(dir string) string { return filepath.Join(dir, "vault.db") }

// start starts the command, its output in the log.
func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr, p.began = log, log, time.Now()
	return p.cmd.Start()
}

// await reads the messages that a service manager would, until one has the
// address behind a prefix.
func (p *process) await(notify *net.UnixConn, prefix string) error {
	if err := notify.SetReadDeadline(p.began.Add(patience)); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if err != nil {
			return errors.Join(fmt.Errorf("it is not ready: %w", err), p.kill(), p.complaint())
		}
		p.ready = time.Since(p.began)
		for line := range strings.Lines(string(buf[:n])) {
			if addr, ok := strings.CutPrefix(strings.TrimSpace(line), prefix); ok {
				p.addr = addr
				return nil
			}
		}
	}
}

// bare starts one of the bare programs, which serve at -addr, and waits until
// it accepts connections.
func (b *bench) bare(name, dir string, args ...string) (*process, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	return b.bareAt(name, dir, "tcp", addr, append([]string{"-addr", addr}, args...)...)
}

// bareAt is bare for an address of any kind, which the arguments say.
func (b *bench) bareAt(name, dir, network, addr string, args ...string) (*process, error) {
	cmd := exec.Command(filepath.Join(b.floor, name), append([]string{"-for", "30m"}, args...)...)
	cmd.Dir = dir
	p := &process{cmd: cmd, addr: addr, log: filepath.Join(dir, name+".log")}
	if err := p.start(); err != nil {
		return nil, err
	}
	for time.Since(p.began) < patience {
		conn, err := net.Dial(network, addr)
		if err == nil {
			p.ready = time.Since(p.began)
			return p, conn.Close()
		}
		time.Sleep(200 * time.Microsecond) // it tells nobody; this is as near as one gets
	}
	return nil, errors.Join(errors.New(name+" does not listen"), p.kill(), p.complaint())
}

// stop ends a server as a service manager does.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return errors.Join(err, p.complaint())
	}
	return nil
}

// kill ends it as a power failure would, for the process at least.
func (p *process) kill() error {
	err := p.cmd.Process.Kill()
	p.cmd.Wait()
	return err
}

// complaint returns the end of the log as an error.
func (p *process) complaint() error {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	return errors.New(string(text[max(0, len(text)-2000):]))
}

// anonymous returns the anonymous memory of the process, in bytes: not the
// mapped database, which is the kernel's to give and to take.
func (p *process) anonymous() (int64, error) { return p.status("RssAnon:") }

// status returns a size that the system states of the process, in bytes.
func (p *process) status(name string) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if text, ok := strings.CutPrefix(s.Text(), name); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.Join(errors.New("no "+name), s.Err())
}

// busy returns the processor time that the process has used.
func (p *process) busy() (time.Duration, error) { return p.times(11) }

// reaped returns the processor time of those below it that were collected.
func (p *process) reaped() (time.Duration, error) { return p.times(13) }

// times returns the sum of two fields of proc_pid_stat(5), counted behind the name.
func (p *process) times(at int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; times are in hundredths of a second.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var sum time.Duration
	for _, field := range fields[at : at+2] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum, nil
}

// took returns how long something took, by the last line of the log that has the
// message.
func (p *process) took(message string) (time.Duration, error) {
	all, err := p.allTook(message)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("the log says nothing of %q", message)
	}
	if err != nil {
		return 0, err
	}
	return all[len(all)-1], nil
}

// allTook returns how long something took each time, by the lines of the log that
// have the message.
func (p *process) allTook(message string) (all []time.Duration, err error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " msg="+message+" ") && !strings.Contains(line, fmt.Sprintf(" msg=%q ", message)) {
			continue
		}
		for field := range strings.FieldsSeq(line) {
			if value, ok := strings.CutPrefix(field, "took="); ok {
				d, err := time.ParseDuration(value)
				if err != nil {
					return nil, err
				}
				all = append(all, d)
			}
		}
	}
	return all, nil
}
