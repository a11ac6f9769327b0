package pinned

import "strings"

// match reports whether a pattern fits a text: * any text, and a character behind \
// itself. It takes no longer than the product of their lengths.
func match(pattern, text string) bool {
	return matchSeq(atoms(pattern), []byte(text), func(a atom, b byte) bool { return a.char == b })
}

// An atom is a character of a pattern, or its star.
type atom struct {
	char byte
	star bool
}

func (a atom) any() bool { return a.star }

func atoms(pattern string) []atom {
	all := make([]atom, 0, len(pattern))
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*':
			all = append(all, atom{star: true})
		case c == '\\' && i+1 < len(pattern):
			i++
			all = append(all, atom{char: pattern[i]})
		default:
			all = append(all, atom{char: c})
		}
	}
	return all
}

// isLiteral reports whether a pattern fits one text only.
func isLiteral(pattern string) bool {
	for _, a := range atoms(pattern) {
		if a.star {
			return false
		}
	}
	return true
}

// goodPattern reports whether the last character is no \ that stands for nothing.
func goodPattern(pattern string) bool {
	trimmed := strings.TrimRight(pattern, `\`)
	return (len(pattern)-len(trimmed))%2 == 0
}

// A part is a name in the pattern of a path.
type part string

func (p part) any() bool { return p == "**" }

// climbs reports whether a text that a pattern fits leads up by a name .. that is not in the
// pattern: a star stands for what is further down.
func climbs(pattern, text string) bool { return ups(text) > ups(pattern) }

func ups(text string) (n int) {
	for name := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("/=:,", r) }) {
		if len(name) > 2 && name[0] == '-' {
			name = name[2:] // behind the letter of an option
		}
		if strings.TrimPrefix(name, "@") == ".." {
			n++
		}
	}
	return n
}

// matchPath reports whether a pattern fits a path: * any text within a name, and a
// name ** any number of names.
func matchPath(pattern, p string) bool {
	return matchSeq(parts[part](pattern), parts[string](p), func(want part, name string) bool { return match(string(want), name) })
}

func parts[T ~string](p string) []T {
	var all []T
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name != "" {
			all = append(all, T(name))
		}
	}
	return all
}

// matchSeq reports whether a sequence fits a pattern in which some elements stand
// for any number of elements. Only the last of those seen has ever to be tried
// again: what fits before an earlier one fits there as well.
func matchSeq[P interface{ any() bool }, E any](pattern []P, seq []E, fits func(P, E) bool) bool {
	p, star, again := 0, -1, 0
	for s := 0; s < len(seq); {
		switch {
		case p < len(pattern) && pattern[p].any():
			star, again = p, s
			p++
		case p < len(pattern) && fits(pattern[p], seq[s]):
			p++
			s++
		case star >= 0:
			again++
			p, s = star+1, again
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p].any() {
		p++
	}
	return p == len(pattern)
}
