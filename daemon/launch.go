package daemon

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/harden"
)

// launch starts the program, once the client has taken the terminal for it, if
// there is one. From then on signals wait for the program: it may have its own
// mind about them.
func (j *job) launch(ctx context.Context, spec spawn.Spec) (*spawn.Run, error) {
	if spec.Terminal != nil {
		if err := spec.Terminal.Prepare(); err != nil {
			return nil, err
		}
		j.c.answer(ipc.Response{OK: true, Terminal: true})
		var err error
		if spec.Terminal.Foreground, err = taken(ctx, j.signals); err != nil {
			return nil, err
		}
	}
	leave, err := j.seat(ctx)
	if err != nil {
		return nil, err
	}
	r, err := j.starter.Start(ctx, spec)
	if err != nil {
		leave()
	} else {
		go func() {
			<-r.Gone()
			leave()
		}()
	}
	if e, ok := errors.AsType[*spawn.UnclearError](err); ok {
		err = client.WithHint(err, clearHint(e.UID))
	} else if errors.Is(err, spawn.ErrBusy) {
		err = client.WithHint(err, moreUsers)
	}
	return r, err
}

// seat takes one of the users for a client's program, where it is another user's.
func (j *job) seat(ctx context.Context) (leave func(), err error) {
	if len(j.cfg.Spawners) == 0 {
		return func() {}, nil
	}
	return j.seats.take(ctx, j.c.peer.UID, seatTimeout)
}

// clearHint says how a user's home directory is cleared that its user cannot clear.
func clearHint(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	// No line that empties what is not just that user's.
	if err != nil || !filepath.IsAbs(u.HomeDir) || filepath.Base(u.HomeDir) != u.Username || filepath.Dir(u.HomeDir) == "/" {
		return "root looks why: journalctl --unit 'cortex-spawner@*'"
	}
	return "root empties it: sudo rm -rf " + u.HomeDir + "; why: journalctl --unit 'cortex-spawner@*'"
}

// takeTimeout is how long a client may take over its terminal: as long the program's
// values wait here. One that was stopped meanwhile is a client that did not.
const takeTimeout = time.Minute

// taken waits for the client to take its terminal, or to leave it to others: it
// returns whether the program is in the foreground.
func taken(ctx context.Context, signals <-chan ipc.Signal) (foreground bool, err error) {
	late := time.After(takeTimeout)
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-late:
			return false, client.WithHint(fmt.Errorf("nobody has taken the terminal for %v: the program was not started", takeTimeout), "run it again")
		case s := <-signals:
			if s.Signal == unix.SIGCONT {
				return s.Foreground, nil
			}
			if deadly(s.Signal) {
				return false, harden.Ended{Signal: s.Signal}
			}
		}
	}
}
