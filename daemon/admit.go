package daemon

import (
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/proof"
)

// admit refuses what needs no look at anything else. The server it is meant
// for comes before any packet is sent.
func (d *enrolment) admit(req ipc.Request) error {
	switch {
	case req.Program == "":
		return fmt.Errorf("%w: program is missing", ipc.ErrMalformed)
	case !proof.ValidName(req.Project) && !(req.Canary && req.Project == ""):
		return errors.New("bad project name: use 1 to 128 of A-Z a-z 0-9 _ . - and no dot in front")
	case req.Names == nil && d.cfg.Group != "":
		// It would be with our rights, which are not the client's.
		return client.WithHint(errors.New("this daemon is another user's, and reads no files of yours"), "use cortex run, which sends the names")
	case req.URL != nil && !client.SameServer(*req.URL, d.client.URL()):
		return d.wrongServer(*req.URL)
	}
	return nil
}

// errWrongServer is in the chain of the error about a request for another
// server than the enrolled one.
var errWrongServer = errors.New("this host is enrolled elsewhere")

func (d *enrolment) wrongServer(url string) error {
	origin, err := client.Origin(url)
	if err != nil {
		return client.WithHint(fmt.Errorf("%w: this host's daemon is enrolled at %s: %w", errWrongServer, d.client.URL(), err), "use --url "+d.client.URL())
	}
	return client.WithHint(fmt.Errorf("%w: this host's daemon is enrolled at %s, not at %s", errWrongServer, d.client.URL(), origin),
		fmt.Sprintf("use --url %s, or log in there: %s", d.client.URL(), identity.LoginCommand(d.key.AgentID, origin)))
}

// asName returns a project's name, and nothing for what could not be one: clients send
// what they like, and the log is not to have all of it.
func asName(project string) string {
	if !proof.ValidName(project) {
		return ""
	}
	return project
}
