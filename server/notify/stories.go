package notify

import "github.com/cortex-auth/cortex/vault"

// A story is what a kind of message says.
type story struct{ title, text string }

// stories has one for each kind.
var stories = map[string]story{
	"honey_token_access":       {"a honey secret was touched", "Somebody asked for a secret that is a trap. If it was fetched, the project's tokens are revoked and the agent is frozen."},
	"agent_on_two_hosts":       {"an agent is used on two hosts", "An agent opened a session on another host than before. The older session has ended. If you did not move it, its key was copied."},
	"agent_key_change":         {"an agent has another key", "An agent that was known enrolled with a different key. If nobody made a new one, somebody pretends to be it."},
	"recovery_boot":            {"the vault was opened with recovery shares", "The vault was unsealed from Shamir shares and not with the operator password."},
	"offline_journal_gap":      {"a journal has a gap", "A daemon used values while the vault was away, and part of what it wrote of that never came. Somebody may have deleted it."},
	"offline_journal_rejected": {"a journal was refused", "A daemon brought a journal of what it did while the vault was away that is not as it was written, or not its own."},
	"restore":                  {"the vault was restored from a backup", "All tokens and sessions have ended. What changed since the backup is lost."},
	"daemon_attest_rejected":   {"an agent opens sessions too often", "A daemon was refused a session because it opened several just now. Either it is restarted in a loop, or two daemons share one agent."},
	"discover_limit":           {"an agent asks for too much", "An agent asked for more undecided variables than may wait. The others are unmatched."},
	"repeated_failures":        {"many failed authentications", "Credentials that are not good are tried again and again."},
	"freeze":                   {"something was frozen", "What is frozen gets nothing from the vault until somebody unfreezes it."},
	"unfreeze":                 {"something was unfrozen", "What was frozen is served again."},
	"vault_seal":               {"the vault was sealed", "The vault gives out nothing until it is unsealed. Further messages wait until then."},
	"vault_unseal":             {"the vault was unsealed", "The vault serves again."},
	"rotate_kek":               {"the key-encryption key was rotated", "Shares and passwords from before no longer open the vault."},
	"rotate_signing_key":       {"the signing key was rotated", "New tokens are signed with a new key."},
	"change_password":          {"the operator password was changed", "The password from before no longer opens the vault."},
	"shamir_generate":          {"recovery shares were made", "Whoever has enough of them can open the vault."},
	"secret_expiring":          {"a secret expires soon", "Somebody has to replace it."},
	"secret_expired":           {"a secret has expired", "Somebody has to replace it."},
	"discover_pending_new":     {"an agent waits for approval", "An agent asks for variables of a project that nobody has decided on yet."},
	"pin_asked":                {"a command waits for approval", "An agent wants to run a command with a project's secrets that nobody has approved. It was refused."},
	"ask_confirmation":         {"somebody waits for a second person", "An administrator asked for something that another one has to confirm."},
	"notification_failed":      {"a notification could not be delivered", "Another channel did not get a message. It is among its dead letters."},
	vault.KindDropped:          {"messages were dropped", "So much happened that not every message had room in the queue of this channel. The audit trail has all of it."},
	vault.KindTest:             {"this is a test", "An administrator asked for this test message. Nothing happened, and no other channel got it."},
}
