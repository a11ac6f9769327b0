package server

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

// maxPart is how many rows a page may have.
const maxPart = 1000

// A part is the part of a list that a request asks for.
type part struct {
	vault.Page
	// list says which list it is, with everything that filters it.
	list string
	// whole lists are answered as they always were.
	whole bool
}

// part reads ?limit= and ?cursor=.
func (s *Server) part(q *request) (p part, err error) {
	limit, err := q.query("limit")
	if err != nil {
		return part{}, err
	}
	cursor, err := q.query("cursor")
	if err != nil {
		return part{}, err
	}
	p.list, p.whole = listOf(q.URL), limit == "" && cursor == ""
	if p.whole {
		return p, nil
	}
	if p.Limit, err = q.limit(maxPart); err != nil {
		return part{}, err
	}
	if cursor != "" {
		p.After, err = s.vault.OpenCursor(p.list, cursor)
	}
	return p, err
}

// limit returns the query parameter of that name, most if there is none.
func (q *request) limit(most int) (int, error) {
	text, err := q.query("limit")
	if err != nil || text == "" {
		return most, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &vault.InvalidError{Field: "limit", Reason: "must be a number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}

// listOf names the list that a URL asks for a part of.
func listOf(u *url.URL) string {
	filters := u.Query()
	filters.Del("limit")
	filters.Del("cursor")
	filters.Del("wait")
	return u.Path + "?" + filters.Encode()
}

// next tells the client how to go on after a position, if there is one.
func (s *Server) next(q *request, p part, position string) error {
	if position == "" {
		return nil
	}
	cursor, err := s.vault.SealCursor(p.list, position)
	if err == nil {
		q.conn.Header().Set(api.NextCursor, cursor)
	}
	return err
}

// pagedBy answers with the part of a list that the request asks for: the whole,
// of which most are shown if that is not zero, or a page, which the vault reads
// by itself.
func pagedBy[D, W any](s *Server, q *request, most int, whole func() ([]D, error), page func(vault.Page) ([]D, string, error), wire func(D) W) ([]W, error) {
	p, err := s.part(q)
	if err != nil {
		return nil, err
	}
	if !p.whole {
		rows, next, err := page(p.Page)
		if err != nil {
			return nil, err
		}
		return wireAll(rows, wire), s.next(q, p, next)
	}
	rows, err := whole()
	if most > 0 {
		rows = newest(rows, most)
	}
	return wireAll(rows, wire), err
}

// paged is pagedBy for a list that is short. The rows are the whole list, ordered by their positions; most is how many of them are
// shown to who asks for no part, if not zero.
func paged[D, W any](s *Server, q *request, rows []D, most int, at func(D) string, wire func(D) W) ([]W, error) {
	p, err := s.part(q)
	if err != nil {
		return nil, err
	}
	if p.whole {
		if most > 0 {
			rows = newest(rows, most)
		}
		return wireAll(rows, wire), nil
	}
	for len(rows) > 0 && p.After != "" && at(rows[0]) <= p.After {
		rows = rows[1:]
	}
	position := ""
	if len(rows) > p.Limit {
		rows = rows[:p.Limit]
		position = at(rows[p.Limit-1])
	}
	return wireAll(rows, wire), s.next(q, p, position)
}

// oldestFirst and newestFirst make positions in lists that are ordered by
// time, and then by names.
func oldestFirst(t time.Time, names ...string) string {
	return fmt.Sprintf("%016x\x00", uint64(t.UnixNano())) + strings.Join(names, "\x00")
}

func newestFirst(t time.Time, names ...string) string {
	return fmt.Sprintf("%016x\x00", ^uint64(t.UnixNano())) + strings.Join(names, "\x00")
}

// The positions of rows in their lists.

func channelAt(c vault.Channel) string       { return oldestFirst(c.Created, c.ID) }
func confirmAt(c vault.Confirmation) string  { return newestFirst(c.Created, c.ID) }
func userAt(u vault.User) string             { return u.Name }
func shareAt(s vault.Share) string           { return s.Namespace }
func versionAt(v vault.SecretVersion) string { return fmt.Sprintf("%016x", ^v.Version) }
func letterAt(d vault.DeadLetter) string     { return fmt.Sprintf("%016x", d.Number) }
func freezeAt(f vault.Freeze) string {
	return newestFirst(f.At, f.Name, string(f.Kind), f.Namespace)
}
