package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A posted message is one that a webhook delivered.
type posted struct {
	header http.Header
	body   []byte
}

// receive returns the address of a receiver, which refuses everything, and what
// is posted to it.
func receive(t *testing.T) (url string, posts chan posted) {
	t.Helper()
	posts = make(chan posted, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		posts <- posted{r.Header, body}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	return s.URL, posts
}

// checkPosts fails unless something was posted so far, and all of it as the
// description says.
func (p *player) checkPosts(t *testing.T, posts chan posted) {
	t.Helper()
	if len(posts) == 0 {
		t.Error("nothing was posted")
	}
	hook := p.webhook()
	form, _ := p.body(hook)
	example, _ := form.example("usual")
	grant, _ := example.(object)["grant_id"].(string)
	for range len(posts) {
		got := <-posts
		message := parse(t, got.body).(object)
		p.validate(t, string(got.body), form, message)
		// Others may have come by now, about other requests.
		if message["kind"] == example.(object)["kind"] && message["grant_id"] == p.translate(grant) {
			p.compare(t, "webhook", example, message)
		}
		for _, header := range p.parameters(hook) {
			name := header.object["name"].(string)
			p.validate(t, "header "+name, header, got.header.Get(name))
		}
	}
}

// webhook returns what is described of the messages to a receiver.
func (d *description) webhook() *operation {
	return &operation{id: "webhook", located: d.follow("#/webhooks/notification/post")}
}
