package redteam

// later are the moves that are not made yet.
var later = map[install][]string{vaultSide: laterVault, personal: laterPersonal, isolated: laterIsolated}

var laterVault = []string{
	"enumerate", "guess-admin-token", "guess-token", "guess-user-code", "many-logins", "blocked-logins",
	"many-failures", "held-connections", "bad-bodies", "cross-origin", "sealed", "unseal-guesses",
	"unseal-guesses-many", "login-guesses", "login-guesses-many", "turns-on-host", "unfinished-shares", "chat-markup",
	"chat-words", "buried-alarm", "inner-services", "metrics", "stale-request", "clock-prunes", "clock-set",
	"kek-memory", "password-environ", "values-memory", "crash", "full-disk", "full-reserve", "endless-fetches",
	"unsigned-requests", "unsigned-requests-far", "no-limits", "no-limits-far", "plain-server", "dev-arguments",
	"saved-token",
}
