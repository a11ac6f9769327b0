package locked

import "github.com/cortex-auth/cortex/vault/locked/lockedtest"

// playPart turns this process into a child, if it was started as one.
func playPart() {
	lockedtest.Main(map[string]func(){
		"hold":            func() { lockedtest.Wait(hold(asIs)) },
		"hold, no secret": func() { lockedtest.Wait(hold(withoutSecretMemory)) },
		"destroy":         func() { lockedtest.Wait(destroy()) },
		"no locking":      noLocking,
	})
}
