package vault

import (
	"context"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// WatchEvents begins to listen to what the daemon of by should act on, where
// by is what [Vault.AuthenticateDaemon] returned, and says when its session
// runs out. First it hears of what is frozen already. A session has one watch:
// an older one ends with [ErrReplaced].
func (v *Vault) WatchEvents(ctx context.Context, by access.Caller) (w *Watch, expires time.Time, err error) {
	// First listen, then look: what is committed in between is heard.
	if w, err = v.listen(by.Credential, forDaemon(by)); err != nil {
		return nil, time.Time{}, err
	}
	err = v.look(ctx, by, access.WatchEvents, func(o *op) error {
		s, err := o.liveSession(by.Credential)
		if err != nil {
			return err
		}
		expires = nanos(s.Expires)
		return o.tellStanding(w, by)
	})
	if err != nil {
		w.Close()
		return nil, time.Time{}, err
	}
	return w, expires, nil
}

// tellStanding tells the watch of a daemon of the freezes there are.
func (o *op) tellStanding(w *Watch, by access.Caller) error {
	head, err := readHead(o.Tx, o.keys)
	if err != nil {
		return err
	}
	for r, err := range freezes.All(o.Tx, "") {
		if err != nil {
			return err
		}
		if r.Kind == FreezeAgent && r.ID != by.ID || r.Kind == FreezeNamespace && r.ID != by.Namespace {
			continue // somebody else's
		}
		told := len(o.notices)
		if err := o.tellFrozen(r, EventFreeze); err != nil {
			return err
		}
		for i := range o.notices[told:] {
			n := &o.notices[told+i]
			n.Seq, n.At = head.Seq, nanos(r.At)
		}
	}
	w.hear(o.notices)
	return nil
}

// forDaemon returns what a daemon is told. While its agent is frozen it hears
// of nothing but that.
func forDaemon(by access.Caller) func(notice) bool {
	cut := map[FreezeKind]bool{}
	return func(n notice) bool {
		if !n.reaches(by) || n.Status == grantPending {
			return false
		}
		switch n.Kind {
		case EventFreeze, EventUnfreeze:
			if n.What == FreezeAgent || n.What == FreezeNamespace {
				cut[n.What] = n.Kind == EventFreeze
			}
			return true
		case EventSessionEnded:
			return true
		}
		return !cut[FreezeAgent] && !cut[FreezeNamespace]
	}
}

// WatchGrants begins to listen for requests and decisions of all agents.
func (v *Vault) WatchGrants() (*Watch, error) {
	return v.listen("", func(n notice) bool { return n.pending })
}

// WatchGrant begins to listen for what is decided about one request, and for
// what becomes of the daemon of by, who waits for it.
func (v *Vault) WatchGrant(by access.Caller, id string) (*Watch, error) {
	return v.listen("", func(n notice) bool {
		return n.pending && n.GrantID == id || n.reaches(by) && (n.Kind == EventFreeze || n.Kind == EventSessionEnded)
	})
}

// PendingGrant returns a request of an agent, or a command of it that waits, to its
// own daemon, by being what [Vault.AuthenticateDaemon] returned. One of another agent
// is [ErrNotFound]; [ErrUnauthorized] means that the session ended meanwhile.
func (v *Vault) PendingGrant(ctx context.Context, by access.Caller, id string) (p PendingGrant, err error) {
	err = v.look(ctx, by, access.ReadPendingGrant, func(o *op) error {
		if _, err := o.liveSession(by.Credential); err != nil {
			return err
		}
		row, err := pendings.Get(o.Tx, store.Key(id))
		if isNotFound(err) {
			p, err = o.waitingPin(by.ID, id)
			return err
		}
		if err != nil {
			return err
		}
		if row.Agent != by.ID {
			return ErrNotFound
		}
		p = row.pending()
		return nil
	})
	return p, err
}

// waitingPin returns a command of an agent as if it were a request.
func (o *op) waitingPin(agent, id string) (PendingGrant, error) {
	row, err := pinsByID.Get(o.Tx, store.Key(id))
	if err != nil {
		return PendingGrant{}, err
	}
	if row.Agent != agent {
		return PendingGrant{}, ErrNotFound
	}
	return PendingGrant{ID: row.ID, AgentID: row.AgentID, Project: row.Project, Namespace: row.Namespace, Status: row.pinStatus(), Pin: true}, nil
}
