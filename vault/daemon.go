package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

const (
	// sessionAnswer is what an attesting daemon is told its session lasts.
	// Daemons that never renew are let in for as long as their access token
	// lasts; those that renew do so by this.
	sessionAnswer = 24 * time.Hour
	// attestWindow is the time in which an agent may attest a few times only.
	attestWindow = 30 * time.Second
	// sessionsKept bounds the ended sessions of an agent.
	sessionsKept = 50
)

// sessions are attested daemons.
var (
	sessions        = store.Rows[sessionRow]("session").Kept()
	sessionsInOrder = store.Unique(sessions, "session_in_order", func(r sessionRow) (store.Key, bool) {
		return newestFirst(r.Created, r.ID), true
	})
	sessionsByAgent = store.NewMulti(sessions, "session_by_agent", func(r sessionRow) (store.Key, bool) {
		return store.Key(r.Agent), true
	})
)

type sessionRow struct {
	ID        string  `cbor:"1,keyasint"`
	Agent     string  `cbor:"2,keyasint"` // row id
	AgentID   string  `cbor:"3,keyasint"`
	Namespace string  `cbor:"4,keyasint"`
	Public    []byte  `cbor:"5,keyasint"`
	Binary    string  `cbor:"6,keyasint"`
	Version   *string `cbor:"7,keyasint,omitempty"`
	PID       *int64  `cbor:"8,keyasint,omitempty"`
	UID       *int64  `cbor:"9,keyasint,omitempty"`
	Hostname  *string `cbor:"10,keyasint,omitempty"`
	Created   int64   `cbor:"11,keyasint"`
	Expires   int64   `cbor:"12,keyasint"`
	Revoked   int64   `cbor:"13,keyasint,omitempty"` // 0: not
}

// Key returns the session id.
func (r sessionRow) Key() store.Key { return store.Key(r.ID) }

// live reports whether the session is good.
func (r sessionRow) live(now time.Time) bool { return r.Revoked == 0 && r.Expires > now.UnixNano() }

// endSessions revokes an agent's live sessions, which it returns, and deletes
// the oldest of the ended ones.
func (o *op) endSessions(agent string) (ended []sessionRow, err error) {
	all, err := gather(sessionsByAgent.All(o.Tx, store.Key(agent)))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b sessionRow) int { return cmp.Compare(b.Created, a.Created) })
	for i, s := range all {
		switch {
		case s.live(o.now):
			ended = append(ended, s)
			o.tellEnded(s)
			s.Revoked = o.now.UnixNano()
			err = sessions.Put(o.Tx, s)
		case i >= sessionsKept:
			err = sessions.Delete(o.Tx, s.Key())
		}
		if err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// A Session is an attested daemon.
type Session struct {
	ID, AgentID, Namespace string
	// BinarySHA256, Version, PID, UID and Hostname are the daemon's word.
	BinarySHA256 string
	Version      *string
	PID, UID     *int64
	Hostname     *string
	Created      time.Time
	Expires      time.Time
	Revoked      *time.Time
}

func (r sessionRow) session() Session {
	s := Session{
		ID: r.ID, AgentID: r.AgentID, Namespace: r.Namespace, BinarySHA256: r.Binary, Version: r.Version,
		PID: r.PID, UID: r.UID, Hostname: r.Hostname, Created: nanos(r.Created), Expires: nanos(r.Expires),
	}
	if r.Revoked != 0 {
		s.Revoked = new(nanos(r.Revoked))
	}
	return s
}

// Sessions returns every session, newest first.
func (v *Vault) Sessions(ctx context.Context, by access.Caller) (all []Session, err error) {
	err = v.look(ctx, by, access.ListSessions, func(o *op) error {
		return collectSeen(o, &all, sessions.All(o.Tx, ""), func(r sessionRow) string { return r.Namespace }, sessionRow.session)
	})
	slices.SortFunc(all, func(a, b Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// SessionsPage returns a part of what Sessions does, and the position to go on
// after, empty at the end. It reads no more than the part.
func (v *Vault) SessionsPage(ctx context.Context, by access.Caller, p Page) (part []Session, next string, err error) {
	err = v.look(ctx, by, access.ListSessions, func(o *op) error {
		o.anywhere()
		rows, n, err := ordered(o, sessionsInOrder, "", p, func(r sessionRow) bool { return o.by.Within(r.Namespace) })
		part, next = convert(rows, sessionRow.session), n
		return err
	})
	return part, next, err
}

// RevokeSession ends a session at once, and with it the tokens of its agent:
// who held the one may hold the others. Ending one that has ended does nothing.
func (v *Vault) RevokeSession(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.RevokeSession, resource: id}, func(o *op) error {
		s, err := sessions.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.record.agent = s.AgentID
		o.record.about(s.ID, "namespace="+s.Namespace)
		if err := o.sees(s.Namespace); err != nil {
			return err
		}
		if s.Revoked != 0 {
			return nil
		}
		o.tellEnded(s)
		s.Revoked = o.now.UnixNano()
		return cmp.Or(sessions.Put(o.Tx, s), o.revokeTokensOf(s.Agent))
	})
}
