package command

import (
	"context"
	"io"
	"net/url"
	"os"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// show tells the person what to approve, and where.
func (l login) show(ctx context.Context, cmd *cli.Command, c meeting, key identity.Key, auth api.DeviceAuthorization) error {
	page, err := c.ApprovalURL(auth)
	if err != nil {
		return err
	}
	code := printableNames([]string{auth.UserCode})
	say(cmd, "open %s and approve the code %s for agent %s", page, code, l.agentID)
	if proof.ValidName(auth.UserCode) {
		say(cmd, "an administrator can do that from a terminal: cortex device approve %s --agent %s --url %s", auth.UserCode, l.agentID, c.URL())
	}
	if l.json {
		err := writeJSON(cmd.Root().Writer, struct {
			Event           string `json:"event"`
			VerificationURI string `json:"verification_uri"`
			UserCode        string `json:"user_code"`
			ExpiresIn       int64  `json:"expires_in"`
			AgentID         string `json:"agent_id"`
			AgentPub        string `json:"agent_pub"`
			Fingerprint     string `json:"fingerprint"`
			ServerKey       string `json:"server_key,omitempty"`
			VaultKey        string `json:"vault_key,omitempty"`
		}{"code", page, auth.UserCode, auth.ExpiresIn, l.agentID, proof.EncodeKey(key.Public()), proof.Fingerprint(key.Public()), c.serverKey(), c.vaultKey()})
		if err != nil {
			return err
		}
	}
	if !l.json && (l.noBrowser || !openBrowser(ctx, page)) {
		draw(cmd.Root().ErrWriter, page)
	}
	return nil
}

// draw shows an address as a QR code on a terminal, for a browser elsewhere. One
// that only this machine understands is of no use there.
func draw(w io.Writer, page string) {
	u, err := url.Parse(page)
	if err != nil || client.Loopback(u.Hostname()) || os.Getenv("TERM") == "dumb" {
		return
	}
	if wide := columns(w); wide > 0 {
		io.WriteString(w, qrCode(page, wide))
	}
}

// columns returns how wide a terminal is, 0 if it is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	wide, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return wide
}
