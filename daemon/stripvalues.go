package daemon

import (
	"path/filepath"
	"strings"
)

// What values may have beside ASCII letters and digits.
const (
	pathSigns   = "/._-+@,="
	wordSigns   = "._-+@"
	localeSigns = "._-@:"
	zoneSigns   = "._-+,/:<>"
)

// harmless reports whether the value of a variable that a pinned command may have is none
// that makes programs run other code: a locale or a terminal is the name of a file that
// they look for, where a path leads to another one, scripts calculate with numbers, which
// expands an index, and put paths into commands.
func harmless(name, value string) bool {
	climbs := strings.Contains(value, "..")
	switch name {
	case "COLUMNS", "LINES":
		return strings.Trim(value, "0123456789") == ""
	case "CI", "COLORTERM", "FORCE_COLOR", "LOGNAME", "NO_COLOR", "TERM", "USER":
		return wordOf(value, wordSigns) && !climbs
	case "LANG", "LANGUAGE":
		return wordOf(value, localeSigns) && !climbs
	case "TZ": // with these in front some take it for a path
		return wordOf(value, zoneSigns) && !climbs && (value == "" || !strings.ContainsRune(":/.", rune(value[0])))
	case "TMPDIR":
		return value == "" || plainDir(value)
	}
	return !strings.HasPrefix(name, "LC_") || wordOf(name, "_") && wordOf(value, localeSigns) && !climbs
}

// plainDir reports whether a path from the root is nothing but one, where a script has it
// without quotes, or in a text that a shell reads.
func plainDir(path string) bool { return filepath.IsAbs(path) && wordOf(path, pathSigns) }

// wordOf reports whether a text has nothing but ASCII letters, digits and these signs.
func wordOf(text, signs string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(signs, r))
	})
}
