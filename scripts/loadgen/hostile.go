package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"github.com/cortex-auth/cortex/vault/proof"
)

// hostile sends requests with credentials that are not good, and shows what
// they leave behind in memory and on the disk.
func (b *bench) hostile() error {
	w, err := b.world()
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name    string
		request func(*agent, int64) []byte
	}{
		{"wrong admin tokens", wrongAdmin},
		{"wrong project tokens", wrongToken},
		{"wrong attestations", wrongAttestation},
		{"wrong proofs of agents", wrongProof},
	} {
		if err := b.insult(w, kind.name, kind.request); err != nil {
			return errors.Join(err, w.complaint(), w.kill())
		}
	}
	return w.stop()
}

// insult sends the requests of one kind.
func (b *bench) insult(w *world, name string, request func(*agent, int64) []byte) error {
	memory, err := w.anonymous()
	if err != nil {
		return err
	}
	size, err := fileSize(w.file)
	if err != nil {
		return err
	}
	var sent atomic.Int64
	r, err := load{addr: w.addr, conns: 64, request: func() ([]byte, bool) {
		i := sent.Add(1)
		return request(w.agent, i), i <= int64(b.count)
	}}.run()
	if err != nil {
		return err
	}
	after, err := w.anonymous()
	if err != nil {
		return err
	}
	grown, err := fileSize(w.file)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d %s", r.answered, name)
	b.table.row(what+", requests/s", fmt.Sprintf("%.0f", r.rate), "", "", "", "")
	b.table.row(what+", memory in MiB, beside before", fmt.Sprintf("%.1f", mebibytes(after)), fmt.Sprintf("%.1f", mebibytes(memory)), "", "", "")
	b.table.row(what+", file in KiB, beside before", fmt.Sprintf("%d", grown>>10), fmt.Sprintf("%d", size>>10), "", "", "")
	return nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func wrongAdmin(a *agent, i int64) []byte {
	return fmt.Appendf(nil, "GET /admin/secrets HTTP/1.1\r\nHost: %s\r\nX-Admin-Token: not-the-token-%d\r\n\r\n", a.addr, i)
}

func wrongToken(a *agent, i int64) []byte {
	return fmt.Appendf(nil, "GET /project/secrets/%s-%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %d%s\r\n\r\n", project, i, a.addr, i, strings.Repeat("x", 40))
}

// wrongAttestation is a good fetch, signed for another.
func wrongAttestation(a *agent, i int64) []byte {
	const path = "/project/secrets/" + project
	header := a.sign("GET", path+"-other", nil, a.authorised)
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Daemon-Attestation: %s\r\n\r\n", path, a.addr, a.token, header)
}

// wrongProof is a well-attested discovery by an agent that signed something
// else.
func wrongProof(a *agent, i int64) []byte {
	body := fmt.Sprintf(`{"agent_id":"%s-%d","ts":1,"nonce":"nonce-%d","auth_proof":"%s","context":{"project_name":"p","file_content":"A="}}`,
		agentID, i, i, strings.Repeat("A", 86))
	header := a.sign("POST", "/agent/discover", []byte(body), proof.AgentTokenID(agentID))
	return fmt.Appendf(nil, "POST /agent/discover HTTP/1.1\r\nHost: %s\r\nX-Daemon-Attestation: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		a.addr, header, len(body), body)
}
