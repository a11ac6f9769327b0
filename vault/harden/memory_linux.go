package harden

import "github.com/cortex-auth/cortex/vault/locked"

// kept returns how many pages have all that Linux offers, at least.
func kept(r locked.Report) int { return min(r.Locked, r.DontDump, r.NotForked) }
