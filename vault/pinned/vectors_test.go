package pinned

import (
	"os"
	"strings"
	"testing"
)

// TestVectors reads what another implementation wrote.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for block := range strings.SplitSeq(string(text), "\n\n") {
		v := map[string]string{}
		for line := range strings.SplitSeq(block, "\n") {
			name, value, _ := strings.Cut(line, " ")
			v[name] = value
		}
		if v["name"] == "" {
			continue
		}
		n++
		t.Run(v["name"], func(t *testing.T) { play(t, v) })
	}
	if n != 35 {
		t.Errorf("%d vectors", n)
	}
}

func play(t *testing.T, v map[string]string) {
	c, err := ParseCommand([]byte(v["text"]))
	if v["want"] != "ok" {
		if err == nil || err.Error() != v["want"] {
			t.Errorf("got %v, want %s", err, v["want"])
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Encode()); got != v["form"] {
		t.Errorf("encoded as %s, want %s", got, v["form"])
	}
	if got := c.Digest(); got != v["digest"] {
		t.Errorf("digest %s, want %s", got, v["digest"])
	}
}
