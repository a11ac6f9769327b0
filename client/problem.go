package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cortex-auth/cortex/server/api"
)

// problem turns an answer outside 2xx into an error; one that came too soon has a
// hint. Older servers and proxies answer in plain text, in HTML or not at all.
func (a answer) problem(base *url.URL) error {
	e := &api.Error{}
	if json.Unmarshal(a.body, e) != nil || e.Message == "" && e.Code == "" {
		*e = api.Error{Message: string(a.body)}
	}
	e.Status = a.status
	e.RetryAfter = retryAfter(a.header.Get("Retry-After"))
	e.Code = api.Code(printable(string(e.Code), 64))
	e.Message = printable(e.Message, 500)
	if e.Details != nil {
		e.Details.PinID, e.Details.Why = printable(e.Details.PinID, 64), printable(e.Details.Why, 500)
	}
	if a.status/100 == 3 {
		e.Message = redirected(a.header.Get("Location"))
	}
	if e.Message == "" {
		e.Message = fmt.Sprintf("%s answered %d %s", base, a.status, http.StatusText(a.status))
	}
	if e.Status == http.StatusTooManyRequests && e.RetryAfter > 0 {
		return WithHint(e, "try again in "+e.RetryAfter.String())
	}
	return e
}

func redirected(location string) string {
	to := "elsewhere"
	if u, err := url.Parse(location); err == nil && u.Host != "" {
		to = printable(u.Scheme+"://"+u.Host, 200)
	}
	return "the server redirects to " + to + ", which is not followed: use the URL of the server itself"
}

// printable keeps text that goes to a terminal on one line, without control
// sequences, at most n bytes.
func printable(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// retryAfter reads the header's form in seconds; at most an hour.
func retryAfter(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Hour)
}
