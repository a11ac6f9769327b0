package daemon

// interpreters are programs that run what they are given.
var interpreters = map[string]interpreter{
	"sh": shell, "ash": shell, "bash": shell, "dash": shell, "ksh": shell, "lksh": shell, "mksh": shell, "posh": shell, "rbash": shell, "yash": shell, "zsh": shell,
	"fish": {flags: "lNnP", values: "dDfo"}, "csh": {flags: "efnvVxX"}, "tcsh": {flags: "efnvVxX"},
	"awk": awk, "gawk": awk, "mawk": awk, "nawk": awk, "original-awk": awk,
	"sed": {
		flags: "bEinrsuz", values: "l", file: "f", text: true,
		long: []string{
			"--debug", "--follow-symlinks", "--in-place", "--null-data", "--posix", "--quiet", "--regexp-extended", "--sandbox", "--separate", "--silent", "--unbuffered",
		},
	},
	"python": python, "pypy": python,
	"node": node, "nodejs": node,
	"bun":  {assigns: true, verbs: []string{"run"}, long: []string{"--no-*", "--silent", "--smol"}},
	"deno": {flags: "Aq", assigns: true, verbs: []string{"run"}, long: []string{"--allow-*", "--cached-only", "--check", "--deny-*", "--frozen", "--no-*", "--quiet", "--unstable*"}},
	"perl": {flags: "0123456789aclnpstTuUvwWX", values: "I"}, "ruby": {flags: "0123456789lnpsvwW", values: "I", assigns: true}, "php": {flags: "CHnq", file: "f"},
	"lua": {flags: "EvW"}, "luajit": {}, "tclsh": {}, "wish": {}, "expect": {flags: "nN", file: "f"}, "osascript": {values: "ls"},
	"Rscript": {assigns: true, long: []string{"--no-*", "--vanilla", "--verbose"}}, "pwsh": {long: []string{"-NoLogo", "-NonInteractive", "-NoProfile"}},
	"elixir": {}, "gnuplot": {}, "groovy": {}, "guile": {}, "ipython": {}, "irb": {}, "jshell": {}, "julia": {}, "nu": {}, "octave": {}, "qjs": {}, "racket": {}, "scala": {},
	"ts-node": {}, "tsx": {}, "xonsh": {},
}

var (
	shell  = interpreter{flags: "abBCeEfhHklmnpPrTuvx", next: "oO", long: []string{"--login", "--no*", "--posix", "--restricted"}}
	awk    = interpreter{values: "vF", file: "f", text: true}
	python = interpreter{flags: "3bBdEhIOPqRsSuvVx", values: "WX"}
	node   = interpreter{assigns: true, long: []string{
		"--abort-on-uncaught-exception", "--enable-source-maps", "--experimental-strip-types", "--expose-gc", "--no-*", "--preserve-symlinks", "--throw-deprecation",
		"--trace-deprecation", "--trace-uncaught", "--trace-warnings", "--use-strict",
	}}
)

// wrappers are programs that start the one that their arguments name.
var wrappers = []string{
	"busybox", "bwrap", "chroot", "chrt", "dbus-run-session", "doas", "env", "fakeroot", "find", "firejail", "flock", "gdb", "gosu", "ionice", "ltrace", "nice", "nohup",
	"nsenter", "perf", "prlimit", "runuser", "script", "setarch", "setpriv", "setsid", "stdbuf", "strace", "su", "sudo", "systemd-run", "taskset", "time", "timeout",
	"tini", "toybox", "unbuffer", "unshare", "xvfb-run",
}

// feeders are those that take from standard input or from a text what they start.
var feeders = []string{"entr", "parallel", "watch", "xargs"}
