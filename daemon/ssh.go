package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/daemon/sshagent"
	"github.com/cortex-auth/cortex/server/api"
)

// An sshAgent is the SSH agent of one program, at a socket in a directory of its own.
type sshAgent struct {
	dir   string
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// agentsDir is where the agents' sockets are. Whoever holds the lock of our socket is
// the only one who makes something there, and what is there before is left behind by
// a daemon that was killed: nobody listens to it.
func (c Config) agentsDir() string { return c.sock() + ".ssh" }

// startAgent starts the SSH agent of a program, with the keys it asks for, and has
// the program find it. It ends with ctx, and is gone when [connection.endAgent]
// returns.
func (j *job) startAgent(ctx context.Context, spec *spawn.Spec, got gift, w wish, by client.CallerContext) error {
	keys, err := agentKeys(j.req, got)
	if err != nil {
		return err
	}
	dir, l, err := listenAgent(j.cfg.agentsDir(), len(j.cfg.Spawners) > 0)
	if err != nil {
		return fmt.Errorf("making a socket for the SSH agent: %w", err)
	}
	whose := &whose{path: l.Addr().String()}
	project := j.req.Project // the request is not kept while the program runs
	tell := &refusals{connection: j.c, project: project, log: j.log, note: j.failures.add}
	agent := &sshagent.Agent{
		Keys:    keys,
		Refused: tell.tell,
		Admit:   whose.admit,
		Bin:     &j.bin,
		Sign: func(ctx context.Context, l sshagent.Login) ([]byte, error) {
			return j.signSSH(ctx, project, w, l, by)
		},
	}
	ctx, stop := context.WithCancel(ctx)
	j.c.agent = &sshAgent{dir: dir, stop: stop}
	j.c.agent.ended.Go(func() { agent.Serve(ctx, l) })
	spec.Env, spec.Owned = withAgent(spec.Env, whose.path), whose.become
	return nil
}

// endAgent ends the agent of the connection's program, if it has one.
func (c *connection) endAgent() {
	if c.agent == nil {
		return
	}
	c.agent.stop()
	c.agent.ended.Wait()
	os.RemoveAll(c.agent.dir)
	c.agent = nil
}

// agentKeys returns the keys that a request asks for, all of them.
func agentKeys(req ipc.Request, got gift) ([]sshagent.Key, error) {
	var keys []sshagent.Key
	for _, name := range req.SSH {
		k, ok := got.keys[name]
		if !ok {
			return nil, noKey(req.Project, name, got)
		}
		key, err := sshagent.ParseKey(name, k.PublicKey, k.Hosts)
		if err != nil {
			return nil, err
		}
		if len(k.Hosts) == 0 {
			return nil, client.WithHint(fmt.Errorf("no host is listed for the SSH key %s", name), listHint(key))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// listHint says how hosts come to be listed for a key.
func listHint(k sshagent.Key) string {
	return "an administrator lists the keys of its hosts: cortex secret update " + k.Path + " --known-hosts FILE"
}

// noKey says why a name is no SSH key.
func noKey(project, name string, got gift) error {
	if v, ok := got.values[name]; ok && !v.IsZero() {
		return client.WithHint(fmt.Errorf("%s is no SSH key of the vault, but an ordinary secret", name),
			"an administrator makes one: cortex secret create PATH --type SSH_KEY --generate ed25519-ssh --known-hosts FILE")
	}
	return client.WithHint(fmt.Errorf("the vault has no SSH key %s for project %s", name, project),
		"an administrator makes it: cortex secret create "+strings.ToLower(name)+" --type SSH_KEY --generate ed25519-ssh --known-hosts FILE")
}

// withoutAgent returns the needed names that are SSH keys no agent was asked for.
func withoutAgent(got gift, req ipc.Request) (names []string) {
	for _, name := range req.Needed {
		if _, ok := got.keys[name]; ok && !slices.Contains(req.SSH, name) {
			names = append(names, name)
		}
	}
	return names
}

// withAgent returns an environment that leads to an agent and to no other.
func withAgent(env []string, path string) []string {
	others := slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "SSH_AUTH_SOCK=") || strings.HasPrefix(v, "SSH_AGENT_PID=")
	})
	return append(others, "SSH_AUTH_SOCK="+path)
}

// listenAgent makes a socket in a directory that only we can enter. With others, its
// parent can be passed through, to a directory that somebody is let into.
func listenAgent(parent string, others bool) (dir string, l *net.UnixListener, err error) {
	if err := os.Mkdir(parent, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", nil, err
	}
	if others {
		if err := os.Chmod(parent, 0o711); err != nil {
			return "", nil, err
		}
	}
	if dir, err = os.MkdirTemp(parent, ""); err != nil { // 0700
		return "", nil, err
	}
	path := filepath.Join(dir, "agent")
	if len(path) > maxSockPath {
		err = fmt.Errorf("its path %s is longer than the %d bytes systems allow: start the daemon with a shorter --sock", path, maxSockPath)
	} else {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	}
	if err != nil {
		os.RemoveAll(dir)
	}
	return dir, l, err
}

// signSSH has the vault sign that a program logs in.
func (d *enrolment) signSSH(ctx context.Context, name string, w wish, l sshagent.Login, by client.CallerContext) ([]byte, error) {
	p, err := d.projects.of(name)
	if err != nil {
		return nil, err
	}
	in := client.SSHLogin{Name: l.Key.Name, HostKey: l.HostKey, Session: l.Session, HostSignature: l.HostSignature, Request: l.Request}
	signature, t, err := d.askSignature(ctx, p, w, in, by)
	if t != nil && unauthorized(err) {
		p.drop(t) // as in values
		signature, _, err = d.askSignature(ctx, p, w, in, by)
	}
	if err != nil {
		return nil, fmt.Errorf("the vault did not sign with %s: %w", l.Key.Name, err)
	}
	d.log.Info("the vault signed an SSH log-in", "project", name, "key", l.Key.Name)
	return signature, nil
}

// askSignature asks for a signature once, and returns the token it had, nil without.
func (d *enrolment) askSignature(ctx context.Context, p *project, w wish, in client.SSHLogin, by client.CallerContext) ([]byte, *token, error) {
	t, s, err := d.credentials(ctx, p, w)
	if err != nil {
		return nil, nil, err
	}
	signature, _, err := asPinned(p, w.look, by, func(by client.CallerContext) ([]byte, error) {
		return d.client.SignSSH(ctx, p.name, t.value, s, by, in)
	})
	if errors.Is(err, api.Forbidden) {
		err = client.WithHint(err, "what the key is for has changed: run the command again to see")
	}
	return signature, t, err
}
