package token

import (
	"regexp"
	"strings"
	"testing"
)

func TestRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		s := string(Random().Reveal())
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(s) || seen[s] {
			t.Fatalf("token %q", s)
		}
		seen[s] = true
	}
}

func TestUserCode(t *testing.T) {
	form := regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ2-9]{4}-[BCDFGHJKLMNPQRSTVWXZ2-9]{4}$`)
	counts := map[byte]int{}
	const codes = 20000
	for range codes {
		c := UserCode()
		if !form.MatchString(c) {
			t.Fatalf("code %q", c)
		}
		if again, ok := ParseUserCode(c); !ok || again != c {
			t.Fatalf("%q reads as %q", c, again)
		}
		for i := range len(c) {
			counts[c[i]]++
		}
	}
	delete(counts, '-')
	// Chi-squared with 27 degrees of freedom: above 70 less than once in a
	// hundred thousand runs. A plain remainder of a byte gives over 200.
	expected := float64(codes*8) / float64(len(userCodeAlphabet))
	chi := 0.0
	for i := range len(userCodeAlphabet) {
		d := float64(counts[userCodeAlphabet[i]]) - expected
		chi += d * d / expected
	}
	if chi > 70 || len(counts) != len(userCodeAlphabet) {
		t.Errorf("not uniform: chi-squared %.1f over %d symbols", chi, len(counts))
	}
}

func TestParseUserCode(t *testing.T) {
	for _, s := range []string{"BCDF-GHJ2", "bcdf-ghj2", "BCDFGHJ2", "  bcdfghj2\n"} {
		if got, ok := ParseUserCode(s); !ok || got != "BCDF-GHJ2" {
			t.Errorf("%q = %q, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "BCDF", "BCD-FGHJ2", "BCDF--GHJ", "ACDF-GHJ2", "BCDF-GHJ0", "BCDF-GHJ1", "BCDF-GHÜ", "BCDF GHJ2", strings.Repeat("B", 9)} {
		if got, ok := ParseUserCode(s); ok {
			t.Errorf("%q taken as %q", s, got)
		}
	}
}
