package spawn

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// What is better than the daemon's own is not to be had, not even by root.
func TestScheduleIsNotRaised(t *testing.T) {
	if os.Getenv("SPAWN_TEST_SCHEDULE") != "" {
		s := newStage(t)
		for _, asked := range []ipc.Schedule{
			{Nice: -20, Policy: 1, IO: 1 << 13, CPUs: []uint64{1<<64 - 1}},
			{Nice: 2, Policy: 0, IO: 2<<13 | 1, CPUs: []uint64{0, 1 << 63}},
			{IO: 0},
		} {
			spec := s.spec("sh", "-c", "nice; chrt -p $$; ionice -p $$; nproc")
			spec.Schedule = asked
			got, _ := s.output(spec)
			fmt.Printf("%+v got %s", asked, got)
		}
		return
	}
	s := newStage(t)
	spec := s.spec("sh", "-c", `one=$(taskset -cp $$ | sed 's/.*[-, ]//')
		exec nice -n 4 chrt --batch 0 ionice -c 2 -n 6 taskset -c $one "$0" -test.run='^TestScheduleIsNotRaised$'`, fmt.Sprintf("/proc/%d/exe", os.Getpid()))
	spec.Env = append(spec.Env, "SPAWN_TEST_SCHEDULE=1", "TMPDIR="+t.TempDir())
	got, _ := s.output(spec)
	raised, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the niceness
	if err != nil {
		t.Fatal(err)
	}
	niceness := fmt.Sprint(min(20-raised+4, 19))
	runs := strings.Split(got, " got ")
	if len(runs) != 4 {
		t.Fatal(got)
	}
	for _, run := range runs[1:] {
		lines := strings.Split(run, "\n")
		if len(lines) < 5 || lines[0] != niceness || !strings.HasSuffix(lines[1], "SCHED_BATCH") || lines[3] != "best-effort: prio 6" || lines[4] != "1" {
			t.Errorf("%q", run)
		}
	}
}
