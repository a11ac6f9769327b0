package server

import (
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A request is one request on its way through the server.
type request struct {
	*http.Request
	// By is who sent it, once that is known.
	By access.Caller

	conn   http.ResponseWriter // the one of package net/http, for its limit on bodies
	client auth.Client

	guest *guest // the connection
	held  bool   // it stays until the request ends

	// What routes that leave the last word to the vault hand over.
	bearer      opaque.Bytes
	attestation *proof.Attestation
	attested    *vault.Attested // the attestation, once verified

	raw  []byte // the body, once it was read
	most int64  // how long it may be
	room room
}

// hold keeps the connection from being closed for another's sake until the
// request ends.
func (q *request) hold() {
	if !q.held {
		q.held = true
		q.guest.serve()
	}
}

// welcome holds the connection, if it is known who sent the request.
func (q *request) welcome(known bool) {
	if known {
		q.hold()
		q.guest.welcome()
	}
}

// placed keeps a request that has a place among those that try a password,
// which may take longer than requests do.
func (q *request) placed() {
	q.stay(auth.MaxTurn)
	q.hold()
}

// end lets go of everything that was there for the request.
func (q *request) end() {
	if q.held {
		q.guest.served()
	}
	q.wipe()
}

// wipe forgets the secrets that came with the request.
func (q *request) wipe() {
	q.bearer.Wipe()
	clear(q.raw)
	q.room.leave()
}

var (
	errMediaType = errors.New("the body must be JSON: send Content-Type: application/json")
	errPath      = errors.New("the path is not printable text, or too long")
)

// json returns the body of a route that takes JSON, and says so to whoever
// sends something else. A body that was read before was looked at then.
func (q *request) json() ([]byte, error) {
	if q.raw != nil {
		return q.raw, nil
	}
	media, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || media != "application/json" && !(strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")) {
		return nil, errMediaType
	}
	return q.body()
}

// namespace returns the query parameter of that name, which every route about
// names takes; empty if there is none.
func (q *request) namespace() (string, error) {
	n, err := q.query("namespace")
	if err == nil && n != "" && !proof.ValidName(n) {
		err = &vault.InvalidError{Field: "namespace", Reason: "is not a namespace's name"}
	}
	return n, err
}

func (q *request) query(name string) (string, error) {
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return "", errQuery
	}
	if len(values[name]) > 1 {
		return "", &vault.InvalidError{Field: name, Reason: "is there more than once"}
	}
	return values.Get(name), nil
}

var errQuery = &vault.InvalidError{Field: "the query", Reason: "cannot be decoded"}

// flag returns a query parameter that says yes or no; no if it is not there.
func (q *request) flag(name string) (bool, error) {
	switch text, err := q.query(name); {
	case err != nil:
		return false, err
	case text != "" && text != "true" && text != "false":
		return false, &vault.InvalidError{Field: name, Reason: "must be true or false"}
	default:
		return text == "true", nil
	}
}

// number returns a query parameter that counts something from 1; 0 if it is
// not there.
func (q *request) number(name string) (uint64, error) {
	text, err := q.query(name)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n == 0 {
		return 0, &vault.InvalidError{Field: name, Reason: "must be a number from 1"}
	}
	return n, nil
}

// maxPath is more than any parameters of a path come to, in bytes.
const maxPath = 2048

// validPath reports whether a path, percent-decoded, is text that can be
// stored and shown: what stands in it is recorded, also of something that is
// not there.
func validPath(r *http.Request) bool {
	path := r.URL.Path
	return len(path) <= maxPath && utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsPrint(r) })
}
