package redteam

// later are the moves that are not made yet.
var later = map[install][]string{vaultSide: laterVault}

var laterVault = []string{
	"full-disk", "full-reserve", "endless-fetches", "unsigned-requests", "unsigned-requests-far", "no-limits",
	"no-limits-far", "plain-server", "dev-arguments", "saved-token",
}
