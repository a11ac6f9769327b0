package e2e_test

import (
	"fmt"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// The race detector has nothing to say about a server under the load of a
// crowd, while its key is rotated.
func TestRaces(t *testing.T) {
	s := newStage(t)
	s.bin = t.TempDir()
	if err := e2e.BuildRace("../..", s.bin); err != nil {
		t.Fatal(err)
	}
	server := s.serve() // ends with 66 if there was a race
	l := s.load()
	a := acknowledged{values: map[string]string{}}
	a.want(20 * crowd)
	errs := make(chan error, crowd)
	for i := range crowd {
		go func() { errs <- a.work(l, fmt.Sprintf("worker/%d", i)) }()
	}
	s.admin("POST", "/admin/rotate-key", fmt.Sprintf(`{"new_kek_password":%q}`, e2e.Password+", the next"))
	select {
	case <-a.had:
	case err := <-errs:
		t.Fatal(err)
	}
	s.stop(server)
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d operations were acknowledged", a.n.Load())
}
