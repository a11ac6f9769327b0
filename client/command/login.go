package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A login is one run of daemon login.
type login struct {
	agentID, url, pin, device, namespace, sock string
	noBrowser, json                            bool
}

func daemonLogin() *cli.Command {
	var l login
	cmd := &cli.Command{
		Name:  "login",
		Usage: "connect this host to a server as an agent",
		Description: `Makes the agent's key if there is none, shows a code that an administrator
approves, and waits for that. The session is kept for the daemon, sealed under
the agent's key.

The session says by which key the server is known from then on, and by which its
vault. A server with a certificate that this machine does not trust is asked for
at the terminal, or named by its key.

Examples:
   cortex daemon login --agent-id build-bot --url https://vault.example.com
   cortex daemon login --agent-id build-bot --url https://10.0.0.7:3000 --pin SHA256:…`,
		Flags: []cli.Flag{
			agentIDFlag(&l.agentID), urlFlag(&l.url), pinFlag(&l.pin),
			&cli.BoolFlag{Name: "no-browser", Usage: "do not open the approval page here", Destination: &l.noBrowser},
			&cli.StringFlag{Name: "device-name", Usage: "what to call this host when registering the agent's key", DefaultText: "the host name", Destination: &l.device},
			&cli.StringFlag{Name: "namespace", Usage: "the `NAME` of the agent's namespace when registering its key", Destination: &l.namespace},
			sockFlag(&l.sock), jsonFlag(&l.json),
		},
	}
	cmd.Action = func(ctx context.Context, cmd *cli.Command) error { return l.run(ctx, cmd) }
	return cmd
}

func (l login) run(ctx context.Context, cmd *cli.Command) error {
	if l.namespace != "" && !proof.ValidName(l.namespace) {
		return usage(cmd, errors.New("bad namespace: use 1 to 128 of A-Z a-z 0-9 _ . - and no dot in front"))
	}
	if !proof.Plain(l.device, maxDeviceName) {
		return usage(cmd, fmt.Errorf("bad --device-name: use at most %d printable ASCII characters, and no |", maxDeviceName))
	}
	if _, err := client.Origin(l.url); err != nil {
		return err
	}
	key, err := l.key(cmd)
	if err != nil {
		return err
	}
	defer key.Destroy()
	c, err := meet(ctx, cmd, l.url, l.pin)
	if err != nil {
		return err
	}
	down := &countdown{w: cmd.Root().ErrWriter, live: onTerminal(cmd.Root().ErrWriter), columns: func() int { return columns(cmd.Root().ErrWriter) }}
	p := poll{client: c.Client, key: key, say: down.say}
	auth, err := p.begin(ctx, l.host(c.URL(), cmd.Root().Version))
	if err != nil {
		return err
	}
	defer auth.DeviceCode.Wipe()
	if err := l.accept(cmd, c, key, auth); err != nil {
		return err
	}
	if err := l.show(ctx, cmd, c, key, auth); err != nil {
		return err
	}
	stop := down.start(lifetime(auth))
	token, err := p.wait(ctx, auth)
	stop()
	if err != nil {
		return err
	}
	defer token.AccessToken.Wipe()
	return l.finish(ctx, cmd, c, key, auth, token)
}

// maxDeviceName is the longest name of a host, in bytes.
const maxDeviceName = 255

// host returns what is told of this host.
func (l login) host(origin, version string) identity.Host {
	return identity.Host{
		Origin: origin, Namespace: l.namespace, Name: l.deviceName(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Version: version,
	}
}

// accept decides whether to go on where the server did not take the proof of the
// agent's key. One that took it before is not what it seems.
func (l login) accept(cmd *cli.Command, c meeting, key identity.Key, auth api.DeviceAuthorization) error {
	if auth.Proved {
		return nil
	}
	dir := identity.Dir()
	before, err := identity.Proved(dir, l.agentID, c.URL())
	if err != nil {
		return fmt.Errorf("reading where the agent's key was proved: %w", err)
	}
	if before {
		return client.WithHint(fmt.Errorf("the server does not ask for the proof of agent %s's key, which it took before: somebody may stand between", l.agentID),
			"if an older server took its place and that is meant, delete "+identity.ProvedPath(dir, l.agentID))
	}
	say(cmd, "the server knows no proofs: this login goes without one")
	pub := proof.EncodeKey(key.Public())
	say(cmd, "the agent's public key: %s", pub)
	say(cmd, "unless that is done, an administrator registers it with:")
	say(cmd, "  %s", registerCommand(c.URL(), l.agentID, pub, l.namespace, l.deviceName()))
	return nil
}

// key loads the agent's key or makes one.
func (l login) key(cmd *cli.Command) (identity.Key, error) {
	path := identity.Path(identity.Dir(), l.agentID)
	key, err := identity.Load(path, l.agentID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if key, err = identity.Generate(path, l.agentID); err != nil {
			return identity.Key{}, fmt.Errorf("making the key of agent %s: %w", l.agentID, err)
		}
		say(cmd, "made a key for agent %s in %s", l.agentID, path)
	case err != nil:
		return identity.Key{}, explainKey(err, l.agentID)
	default:
		say(cmd, "the key of agent %s is in %s", l.agentID, path)
	}
	say(cmd, "its fingerprint: %s", proof.Fingerprint(key.Public()))
	return key, nil
}

func (l login) deviceName() string {
	if l.device != "" {
		return l.device
	}
	host, err := os.Hostname()
	if err != nil || !proof.Plain(host, maxDeviceName) {
		return ""
	}
	return host
}

func (l login) finish(ctx context.Context, cmd *cli.Command, c meeting, key identity.Key, auth api.DeviceAuthorization, token api.DeviceToken) error {
	dir := identity.Dir()
	s, err := saveLogin(dir, key, c, auth, token)
	if err != nil {
		return err
	}
	if s.Proved {
		say(cmd, "logged in as agent %s at %s", l.agentID, c.URL())
	} else {
		say(cmd, "logged in as agent %s at %s until %s", l.agentID, c.URL(), s.ExpiresAt().Format(time.DateTime+" MST"))
	}
	say(cmd, "session: %s", identity.SessionPath(dir))
	ready := reload(ctx, cmd, daemonSock(cmd, l.sock))
	if l.json {
		return writeJSON(cmd.Root().Writer, struct {
			Event       string    `json:"event"`
			ServerURL   string    `json:"server_url"`
			AgentID     string    `json:"agent_id"`
			Proved      bool      `json:"proved"`
			ExpiresAt   time.Time `json:"expires_at,omitzero"`
			SessionFile string    `json:"session_file"`
			DaemonReady bool      `json:"daemon_ready"`
		}{"login", c.URL(), l.agentID, s.Proved, s.ExpiresAt(), identity.SessionPath(dir), ready})
	}
	return nil
}

// saveLogin keeps what a login brought, after checking whom it was approved
// for. If the agent's key was proved, that is all it takes from now on: the access
// token is not kept.
func saveLogin(dir string, key identity.Key, c meeting, auth api.DeviceAuthorization, token api.DeviceToken) (identity.Session, error) {
	access := opaque.New(token.AccessToken.Reveal())
	approved, issued, err := identity.Claims(access)
	if err != nil {
		return identity.Session{}, fmt.Errorf("%w: the access token: %w", client.ErrAnswer, err)
	}
	if approved != key.AgentID {
		return identity.Session{}, client.WithHint(fmt.Errorf("the code was approved for agent %s, not for %s", approved, key.AgentID),
			"log in again, and have the code approved for agent "+key.AgentID)
	}
	s := identity.Session{ServerURL: c.URL(), AgentID: key.AgentID, IssuedAt: issued, Proved: auth.Proved, Pin: c.pin}
	if s.Proved {
		access = opaque.Bytes{}
		err = identity.RememberProved(dir, key.AgentID, c.URL())
	} else {
		s.ExpiresIn = time.Duration(token.ExpiresIn) * time.Second
	}
	if err == nil {
		err = identity.SaveSession(dir, key, s, access)
	}
	if err != nil {
		return identity.Session{}, fmt.Errorf("saving the session: %w", err)
	}
	return s, nil
}
