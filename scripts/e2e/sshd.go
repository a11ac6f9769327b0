package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// sshdConfig is that of a daemon that lets in whoever has a key in the file keys.
const sshdConfig = `ListenAddress 127.0.0.1:%[1]s
HostKey %[2]s/%[3]s.key
AuthorizedKeysFile %[2]s/%[3]s.keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
LogLevel VERBOSE
`

// sshConfig is what a client needs to know.
const sshConfig = `Host %[3]s
	HostName 127.0.0.1
	Port %[1]s
	User %[4]s
	HostKeyAlias %[3]s
	UserKnownHostsFile %[2]s/%[3]s.hosts
	GlobalKnownHostsFile none
	IdentityFile none
	BatchMode yes
`

// sshd starts a real one on loopback.
func sshd(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "sshd NAME")
	name, dir := args[0], ts.MkAbs(".")
	who, err := user.Current()
	ts.Check(err)
	port := freePort(ts)
	ts.Check(ts.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name+".key"))
	for file, text := range map[string]string{
		name + ".sshd":   fmt.Sprintf(sshdConfig, port, dir, name),
		name + ".config": fmt.Sprintf(sshConfig, port, dir, name, who.Username),
		name + ".hosts":  name + " " + ts.ReadFile(name+".key.pub"),
		name + ".keys":   "",
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	if os.Geteuid() == 0 {
		ts.Check(os.MkdirAll("/run/sshd", 0o755)) // where it locks itself up
	}
	startSSHD(ts, filepath.Join(dir, name))
}

// startSSHD returns when the server listens. Its log is beside its configuration.
func startSSHD(ts *testscript.TestScript, file string) {
	// It wants to be called by its whole path.
	path, err := exec.LookPath("sshd")
	if err != nil {
		path = "/usr/sbin/sshd"
	}
	log, err := os.Create(file + ".log")
	ts.Check(err)
	cmd := exec.Command(path, "-D", "-e", "-f", file+".sshd")
	says, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	listens, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		once := sync.OnceFunc(func() { close(listens) })
		for s := bufio.NewScanner(says); s.Scan(); {
			fmt.Fprintln(log, s.Text())
			if strings.HasPrefix(s.Text(), "Server listening") {
				once()
			}
		}
	}()
	ts.Defer(func() {
		cmd.Process.Kill()
		<-ended
		cmd.Wait()
		log.Close()
	})
	select {
	case <-listens:
	case <-ended:
		ts.Fatalf("sshd does not start: %s", ts.ReadFile(file+".log"))
	}
}

func freePort(ts *testscript.TestScript) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	ts.Check(err)
	return port
}
