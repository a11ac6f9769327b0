package client

import "errors"

// WithHint returns err with a suggestion of what to do next, such as a
// command to type. The error's text stays the same.
func WithHint(err error, hint string) error { return &hinted{err, hint} }

// Hint returns the first suggestion in err's chain, or "".
func Hint(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.hint
	}
	return ""
}

// hinted is an error with a suggestion beside it, so that the chain stays one
// line and the suggestion gets its own.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
