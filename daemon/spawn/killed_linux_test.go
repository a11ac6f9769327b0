package spawn

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// A program that keeps its monitor from killing it, by stopping it again and again, is
// killed all the same, and with all that it has started.
func TestMonitorStopped(t *testing.T) { newStage(t).killStopping(t) }

func TestMonitorOfAnotherUserStopped(t *testing.T) {
	s, _ := newRemoteStage(t, 1)
	s.killStopping(t)
}

func (s *stage) killStopping(t *testing.T) {
	s.write("stop", "#!/bin/sh\necho up\nwhile kill -STOP $1; do :; done\n", 0o755)
	run, out := s.start(s.spec("sh", "-c", `./stop $PPID & setsid ./stop $PPID & exec ./stop $PPID`))
	for range 3 {
		waitLine(t, out, "up")
	}
	began := time.Now()
	run.Kill()
	<-run.Done()
	if took := time.Since(began); took > endTimeout/2 {
		t.Errorf("it lived for %v", took)
	}
	io.Copy(io.Discard, out)
}

// What a program had printed when it was killed is passed on to whoever reads it late.
// On a busy machine the reader is later than that at times, and then is another one tried.
func TestKilledOutputArrives(t *testing.T) {
	s := newStage(t)
	for range 10 {
		if s.killedOutputArrives() {
			return
		}
	}
	t.Fatal("whoever reads was too late each time")
}

// killedOutputArrives tries it once, and reports whether whoever read was in time.
func (s *stage) killedOutputArrives() bool {
	t := s.t
	t.Helper()
	spec := s.spec("sh", "-c", `head -c 700000 /dev/zero; echo; echo up >&2; sleep 1000`)
	spec.Needles = []Secret{{"KEY", opaque.New([]byte("sk-canary-value"))}}
	out, w := pipe(t)
	hint, hintW := pipe(t)
	spec.Streams[1], spec.Streams[2] = w, hintW
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	hintW.Close()
	waitLine(t, hint, "up")
	began := time.Now()
	run.Kill()
	time.Sleep(killTimeout + killTimeout/4) // whoever reads is as late as that
	got, err := io.ReadAll(out)
	if took := time.Since(began); took > patience {
		t.Logf("too late, after %v", took)
		<-run.Done()
		return false
	}
	if err != nil || len(got) != 700001 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	<-run.Done()
	if e, err := run.Exit(); err != nil || e.Signal != unix.SIGKILL {
		t.Errorf("%+v, %v", e, err)
	}
	return true
}
