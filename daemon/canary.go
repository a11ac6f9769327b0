package daemon

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// canaryKey is what the value in a file is called, where it is masked.
const canaryKey = ipc.CanaryName + "_IN_FILE"

// withCanaries makes a request for a canary ask for what [enrolment.canaries] returns,
// so that it goes the way of secrets.
func withCanaries(req ipc.Request) ipc.Request {
	if req.Canary {
		req.Names, req.Files = &[]string{ipc.CanaryName}, canaryFiles()
	}
	return req
}

// canaries returns values that nobody knows and that open nothing, for what a
// request names. Whether they have to be masked is the project's to say, where there is one.
func (d *enrolment) canaries(ctx context.Context, req ipc.Request) (gift, error) {
	// Who may start no other program starts none with a canary.
	if _, err := d.sessions.current(ctx); err != nil {
		return gift{}, err
	}
	got := gift{values: map[string]opaque.Bytes{ipc.CanaryName: canary()}, texts: map[string]opaque.Bytes{}}
	for _, f := range req.Files {
		name, _, _ := strings.Cut(f, "=")
		got.values[name] = canary()
	}
	if req.Project == "" {
		return got, nil
	}
	p, err := d.projects.of(req.Project)
	if err != nil {
		return got, err
	}
	t, err := d.token(ctx, p, wish{})
	if err != nil {
		return got, err
	}
	got.unmaskable = t.unmaskable
	return got, nil
}

func canary() opaque.Bytes {
	var random [ipc.CanaryDigits / 2]byte
	rand.Read(random[:]) // never fails
	return opaque.New(hex.AppendEncode([]byte(ipc.CanaryPrefix), random[:]))
}
