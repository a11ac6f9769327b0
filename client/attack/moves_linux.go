package attack

// What can be done about a move.
const (
	isolate = "install the isolated daemon: sudo cortex install daemon --isolated"
	smaller = "approve only what this agent may read, and give it keys that do little and can be withdrawn"
	masking = "cortex project settings PROJECT --masking always, or report it: docs/SECURITY.md"
	report  = "report it: docs/SECURITY.md"
	pinList = "see what its pins allow: cortex pin list PROJECT, or report it: docs/SECURITY.md"
	nothing = "nothing: see docs/threat-model.md"
)

// moves are in the order in which they are tried.
func moves() []Move {
	return []Move{
		{"printed-value", "A", "print a value as it is, in the usual encodings, byte by byte, and into a file", Limited, Limited, false, smaller, printValue},
		{"printed-otherwise", "A", "print a value in a form of its own choice", Open, Open, false, smaller, printOtherwise},
		{"printed-halves", "A", "print halves of a value to standard output and standard error", Open, Open, false, smaller, halves},
		{"placed-characters", "A", "put a value together on the screen", Open, Open, false, smaller, cursor},
		{"mask-off", "A", "switch the masking off", Stopped, Stopped, false, masking, unmasked},
		{"terminal-sequences", "A", "write into the caller's clipboard and title", Open, Open, false, nothing, escapes},
		{"type-into-shell", "A", "type into the caller's terminal (TIOCSTI)", Stopped, Stopped, true, report, keyboard},
		{"terminal-modes", "A", "change the modes of the caller's terminal for good", Stopped, Stopped, false, report, terminalModes},
		{"edited-program", "A", "have a command load a library of its own (LD_PRELOAD)", Open, Open, false, smaller, preloadCommand},
		{"set-uid", "A", "gain privileges with a set-uid program", Stopped, Stopped, false, report, privileges},
		{"other-server", "A", "name a server of its own (--url)", Stopped, Stopped, false, report, rogueServer},
		{"project-file", "T", "name a project in the .cortex.toml of a repository", Stopped, Stopped, false, report, rogueProjectFile},
		{"example-values", "T", "have values sent by the .env.example of a repository", Stopped, Stopped, false, report, rogueNames},
		{"environ", "U", "read the running command's environment in /proc", Open, Stopped, true, isolate, reading(theCommand, false, "environ")},
		{"command-memory", "U", "read the running command's memory, or debug it", Open, Stopped, true, isolate, reading(theCommand, true, "maps", "mem")},
		{"command-files", "U", "read the running command's files in memory (/proc/PID/fd)", Open, Stopped, true, isolate, reading(theCommand, false, "fd")},
		{"monitor-memory", "U", "read the monitor's memory, or debug it", Stopped, Stopped, true, report, monitorMemory},
		{"daemon-memory", "U", "read the daemon's memory, or debug it", Stopped, Stopped, true, report, reading(theDaemon, true, "environ", "maps", "mem", "fd")},
		{"launcher-memory", "U", "find a value in the launcher", Stopped, Stopped, false, report, launcherKnows},
		{"core-dump", "U", "have the command or the daemon dump core", Stopped, Stopped, true, report, coreDump},
		{"preload", "U", "have a daemon or a launcher load a library as it starts", Stopped, Stopped, false, report, preload},
		{"agent-key", "U", "read the agent's key, or the login", Open, Stopped, true, isolate, agentKey},
		{"socket-taken-over", "U", "start a second daemon at the socket of the first", Stopped, Stopped, false, report, secondDaemon},
		{"daemon-replaced", "U", "put another socket in the place of the daemon's", Open, Stopped, true, isolate, replaceSocket},
		{"own-daemon", "A", "have a launcher use a daemon of its own (--sock)", Open, Open, false, nothing, fakeDaemon},
		{"socket", "O", "use the daemon as another user", Stopped, Stopped, false, report, stranger},
		{"others-daemon", "O", "have a launcher use another user's daemon", Stopped, Stopped, false, report, foreignDaemon},
		{"spawner", "U", "have the spawner start something", Stopped, Stopped, true, report, orders},
		{"command-asks-daemon", "C", "use the daemon, from a run", Open, Stopped, true, isolate, commandUsesDaemon},
		{"command-reads-key", "C", "read the agent's key, from a run", Open, Stopped, true, isolate, commandReadsKey},
		{"command-reads-other", "C", "read the values of another run", Open, Stopped, true, isolate, commandReadsAnother},
		{"ssh-agent-used", "U", "use the SSH agent of a command that runs", Limited, Stopped, true, isolate, onAgent(useAgent)},
		{"ssh-other-signature", "A", "have an SSH agent sign something else than a log-in", Stopped, Stopped, false, report, onAgent(signOther)},
		{"ssh-agent-keys", "A", "change the keys of an SSH agent", Stopped, Stopped, false, report, onAgent(changeAgent)},
		{"process-left-behind", "A", "leave a process behind that keeps the values", Stopped, Stopped, false, report, orphans},
		{"monitor-killed", "C", "the same, by killing the process that watches over it", Stopped, Stopped, false, report, killWatch},
		{"launcher-killed", "U", "kill the launcher, and have the command go on", Stopped, Stopped, false, report, killLauncher},
		{"files-left-behind", "U", "kill all of a run, and find a value in a file system", Stopped, Stopped, false, report, leftBehind},
	}
}

// pinMoves are tried on a project that is named, in this order.
func pinMoves() []Move {
	return []Move{
		{"other-command", "A", "run a command of the project that nobody has approved, and an approved one with another argument", Stopped, Stopped, false, pinList, otherCommand},
		{"other-directory", "A", "run an approved command in another directory", Stopped, Stopped, false, pinList, otherDirectory},
		{"other-program", "A", "put another program in the place of an approved one, first in PATH", Stopped, Stopped, false, pinList, otherProgram},
		{"loading-variables", "A", "make an approved command run other code by variables of the caller's", Stopped, Stopped, false, report, loadingVariables},
	}
}
