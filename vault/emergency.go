package vault

import (
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// emergencies are what must be possible on a full disk: to cut somebody off, to
// close the vault and to open it, and to make room. Nothing of it lets a value
// out.
var emergencies = map[access.Action]bool{
	access.Freeze: true, access.RevokeProjectToken: true, access.RevokeSession: true, access.DeleteDevice: true,
	access.DeleteAgent: true, access.DisallowDaemon: true, access.DeletePendingGrant: true, access.DeleteProjectGrant: true,
	access.UpdateUser: true, access.DeleteUser: true,
	access.Seal: true, access.Unseal: true, access.Start: true, access.Stop: true, access.Insecure: true,
	access.Login: true, access.Logout: true, access.PruneAudit: true,
}

// share returns how far an operation may go into the reserve, by what is recorded
// of it. To its end go emergencies, which only administrators and the vault
// itself begin. For alarms, refusals and failures, which anybody can cause as
// often as he likes, it is half.
func (o *op) share() (most store.Share) {
	for _, r := range o.records() {
		switch ok := r.status == "" || r.status == statusSuccess; {
		case ok && emergencies[r.action]:
			most = max(most, store.Whole)
		case !ok && r.status != statusPending:
			most = max(most, store.Half)
		}
	}
	return most
}
