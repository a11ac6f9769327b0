package redteam

// What is made against a daemon of the user who calls, and against one with users
// of its own.
var (
	personalMoves = []moves{}
	isolatedMoves = []moves{}
)

var laterPersonal = []string{
	"env-file", "approved-value", "edited-program", "printed-value", "printed-otherwise", "printed-part",
	"printed-halves", "printed-halves-together", "placed-characters", "redact-guesses", "mask-off", "mask-loses-output",
	"terminal-sequences", "type-into-shell", "terminal-modes", "handed-over-file", "changed-file", "more-variables",
	"other-spelling", "others-project", "occupied-project", "deleted-grant", "secret-made-anew", "other-server",
	"example-names", "example-honey", "project-file", "allow-typed", "fetch-after-freeze", "run-after-freeze",
	"run-after-freeze-end", "ssh-key", "ssh-unlisted-host", "ssh-other-name", "ssh-other-signature", "ssh-bind",
	"ssh-listed-host", "ssh-far-session", "ssh-agent-keys", "ssh-agent-busy", "ssh-forwarded", "ssh-forwarded-unsaid",
	"ssh-agent-used", "process-left-behind", "monitor-killed", "monitor-and-daemon-killed", "set-uid",
	"run-for-another", "environ", "command-memory", "command-files", "daemon-memory", "daemon-stacks", "daemon-killed",
	"daemon-replaced", "agent-key", "session-pin", "session-deleted", "access-token", "names-file", "socket",
	"socket-replaced", "key-file", "spawner", "spawner-privileges", "command-asks-daemon", "command-reads-key",
	"command-reads-other", "command-ends-other", "command-leaves-file", "swapped-key", "swapped-value", "host-root",
	"stolen-home", "stolen-home-same-name", "stolen-session", "stolen-device-code", "stolen-access-token",
	"stolen-project-token", "false-program", "false-description",
}

var laterIsolated = []string{
	"env-file", "approved-value", "edited-program", "printed-value", "printed-otherwise", "printed-part",
	"printed-halves", "printed-halves-together", "placed-characters", "redact-guesses", "mask-off", "mask-loses-output",
	"terminal-sequences", "type-into-shell", "terminal-modes", "handed-over-file", "changed-file", "more-variables",
	"other-spelling", "others-project", "occupied-project", "deleted-grant", "secret-made-anew", "other-server",
	"example-names", "example-honey", "project-file", "allow-typed", "fetch-after-freeze", "run-after-freeze",
	"run-after-freeze-end", "ssh-key", "ssh-unlisted-host", "ssh-other-name", "ssh-other-signature", "ssh-bind",
	"ssh-listed-host", "ssh-far-session", "ssh-agent-keys", "ssh-agent-busy", "ssh-forwarded", "ssh-forwarded-unsaid",
	"ssh-agent-used", "process-left-behind", "monitor-killed", "monitor-and-daemon-killed", "set-uid",
	"run-for-another", "environ", "command-memory", "command-files", "daemon-memory", "daemon-stacks", "daemon-killed",
	"daemon-replaced", "agent-key", "session-pin", "session-deleted", "access-token", "names-file", "socket",
	"socket-replaced", "key-file", "spawner", "spawner-privileges", "command-asks-daemon", "command-reads-key",
	"command-reads-other", "command-ends-other", "command-leaves-file", "swapped-key", "swapped-value", "host-root",
	"stolen-home", "stolen-home-same-name", "stolen-session", "stolen-device-code", "stolen-access-token",
	"stolen-project-token", "false-program", "false-description",
}
