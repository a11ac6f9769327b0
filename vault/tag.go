package vault

import (
	"slices"
	"strings"
)

// The limits of tags.
const (
	maxTags = 32
	maxTag  = 64
)

// checkTags accepts labels that need no quoting anywhere.
func checkTags(tags []string) error {
	if len(tags) > maxTags {
		return invalid("tags", "must not be more than %d", maxTags)
	}
	for _, t := range tags {
		if t == "" || len(t) > maxTag || strings.ContainsFunc(t, func(r rune) bool { return !isTagRune(r) }) {
			return invalid("tags", "must be 1 to %d letters, digits, '_', '.', ':', '/', '=', '@' or '-' each", maxTag)
		}
	}
	return nil
}

func isTagRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_.:/=@-", r)
}

// sortedTags returns tags sorted, each once.
func sortedTags(tags []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(tags)))
}
