package daemon

import (
	"slices"
	"testing"
)

// Each user is told, once, whatever others were told.
func TestEachUserIsToldOnce(t *testing.T) {
	var s said[int]
	for _, uid := range []int{1000, 1001} {
		if got := s.news(uid, []int{3, 4}); !slices.Equal(got, []int{3, 4}) {
			t.Errorf("%d is told %v", uid, got)
		}
		if got := s.news(uid, []int{4, 5}); !slices.Equal(got, []int{5}) {
			t.Errorf("%d is told %v", uid, got)
		}
	}
	for n := range 2 * maxSaid {
		s.news(1000, []int{n})
	}
	if got := s.news(1002, []int{3}); len(got) != 1 || len(s.all[1000]) > maxSaid {
		t.Errorf("%v, and %d are remembered", got, len(s.all[1000]))
	}
}
