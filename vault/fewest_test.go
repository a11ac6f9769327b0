package vault

import (
	"fmt"
	"testing"
)

// Of more projects than an event has room for, those stay whose commands end.
func TestFewestKeepsWhatEnds(t *testing.T) {
	rules := map[string]OnFreeze{}
	for i := range maxOnFreeze {
		rules[fmt.Sprint("a", i)] = FreezeLeaves
	}
	if len(fewest(rules)) != maxOnFreeze {
		t.Error("there was room for all")
	}
	for i := range 10 {
		rules[fmt.Sprint("z", i)] = FreezeEnds
	}
	few := fewest(rules)
	if len(few) != maxOnFreeze {
		t.Errorf("%d are told", len(few))
	}
	for i := range 10 {
		if few[fmt.Sprint("z", i)] != FreezeEnds {
			t.Errorf("z%d is not told", i)
		}
	}
}
