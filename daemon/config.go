package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/vault/harden"
)

// Config is what a Daemon needs to know. Zero values are good defaults.
type Config struct {
	// Dir holds the agent's key and the login. If empty, [identity.Dir].
	Dir string
	// Sock is the socket's path. If empty, agent.sock in Dir.
	Sock string
	// Group may use the socket, too: a name. If empty, it is for our own user alone.
	Group string
	// Spawners are the sockets of the [spawn.Spawner]s whose users programs are, one at
	// a time each. If there is none, programs are of our own user.
	Spawners []string
	// MaxConnections is the most requests that are carried out at a time. If 0, as many
	// as there may be open files for, 64 to 512. With a Group, half of them may be one
	// user's.
	MaxConnections int
	// Version is what the daemon calls itself.
	Version string
	// Adopt says that every child of this process is the daemon's: see
	// [spawn.NewStarter].
	Adopt bool
	// Hardening is what was achieved for this process, for status.
	Hardening harden.Report
	// HTTP sends the requests to the server. If nil, the one of package client.
	HTTP *http.Client
	// Log receives what operators want to know. If nil, nothing is logged.
	Log *slog.Logger
}

func (c Config) dir() string         { return cmp.Or(c.Dir, identity.Dir()) }
func (c Config) sock() string        { return cmp.Or(c.Sock, filepath.Join(c.dir(), "agent.sock")) }
func (c Config) maxConnections() int { return cmp.Or(c.MaxConnections, defaultPlaces()) }
func (c Config) log() *slog.Logger   { return cmp.Or(c.Log, slog.New(slog.DiscardHandler)) }

// maxSockPath is how long a socket's path may be: of the 108 bytes of sun_path, or 104
// on macOS, one ends it.
const maxSockPath = 103

// Validate reports everything wrong with c at once.
func (c Config) Validate() error {
	var errs []error
	if c.MaxConnections < 0 {
		errs = append(errs, errors.New("the number of connections must not be negative"))
	}
	if len(c.sock()) > maxSockPath {
		errs = append(errs, fmt.Errorf("the socket's path is longer than the %d bytes systems allow: %s", maxSockPath, c.sock()))
	}
	return errors.Join(errs...)
}
