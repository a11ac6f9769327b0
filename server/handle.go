package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cortex-auth/cortex/server/strict"
	"github.com/cortex-auth/cortex/server/web"
)

// An endpoint answers an authenticated request with a status and something to
// be written as JSON, or with an error for [problem].
type endpoint func(ctx context.Context, q *request) (status int, answer any, err error)

// A call is one authenticated request with its body decoded.
type call[Q any] struct {
	*request
	In Q
}

// handle makes an endpoint of a method that takes JSON. Once is decoded,
// strictly, whatever fn does with it.
func handle[Q, P any](fn func(context.Context, call[Q]) (P, error)) endpoint {
	decoder := strict.For[Q]()
	return func(ctx context.Context, q *request) (int, any, error) {
		body, err := q.json()
		if err != nil {
			return 0, nil, err
		}
		in, err := decoder.Decode(body)
		if err != nil {
			return 0, nil, err
		}
		out, err := fn(ctx, call[Q]{q, in})
		return http.StatusOK, out, err
	}
}

// bare makes an endpoint of a method that takes no body.
func bare[P any](fn func(context.Context, *request) (P, error)) endpoint {
	return func(ctx context.Context, q *request) (int, any, error) {
		out, err := fn(ctx, q)
		return http.StatusOK, out, err
	}
}

// created makes an endpoint answer 201.
func created(e endpoint) endpoint {
	return func(ctx context.Context, q *request) (int, any, error) {
		_, out, err := e(ctx, q)
		return http.StatusCreated, out, err
	}
}

// write sends an answer.
func write(w http.ResponseWriter, status int, answer any) error {
	switch a := answer.(type) {
	case web.File:
		return sendPage(w, status, a)
	case stream:
		return a(w)
	}
	if status == http.StatusNotModified {
		w.WriteHeader(status)
		return nil
	}
	body, err := encode(answer)
	if err != nil {
		writeProblem(w, problem(err))
		return fmt.Errorf("encoding the answer: %w", err)
	}
	defer clear(body)
	h := w.Header()
	h.Set("Content-Type", mediaType(answer))
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}

// mediaType returns what an answer is: JSON, unless it says otherwise.
func mediaType(answer any) string {
	if a, ok := answer.(interface{ mediaType() string }); ok {
		return a.mediaType()
	}
	return "application/json"
}

// encode returns the JSON form of an answer, followed by a line's end.
func encode(answer any) ([]byte, error) {
	if d, ok := answer.(discloser); ok {
		return d.disclosed()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(answer)
	return buf.Bytes(), err
}
